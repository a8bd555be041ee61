"""What each emotion is painted with: palettes, and the range of brightness and chroma a picture is brought into.

Where the numbers and choices come from:

=====================  ==============================================================================================
parameter              taken from
=====================  ==============================================================================================
brightness, chroma     Valdez & Mehrabian 1994: pleasure = .69 B + .22 S, arousal = -.31 B + .60 S. Bright for the
                       pleasant emotions, saturated for the aroused ones, dull and dim for sadness
hues                   Itten 1961 (warm advances and excites, cold recedes and calms); Palmer & Schloss 2010 (blues
                       liked; dark yellows, olives and browns disliked, as of rot and waste: disgust's palettes)
direction of lines     Itten 1961, as used by Machajdik & Hanbury 2010: horizontal rests, vertical is grave, slanted
                       moves; hence contentment's bands, sadness's rain, anger's diagonals
round or angular       Lu et al. 2012: rounded forms go with pleasant and calm, angular ones with unpleasant and
                       aroused pictures
texture, detail        Machajdik & Hanbury 2010: low depth and coarse blur against busy detail
emphasis, gradation,   Zhao et al. 2014: one light in the dark (fear), long gradations (awe), harmony of few hues
variety, movement      (contentment) against variety of many (amusement), movement (excitement)
=====================  ==============================================================================================

The studies give directions, not pictures: the values below are ours, chosen inside those directions by eye.

- P. Valdez, A. Mehrabian. Effects of color on emotions. J. Experimental Psychology: General 123(4), 1994.
- J. Itten. The Art of Color. Reinhold, 1961.
- S. E. Palmer, K. B. Schloss. An ecological valence theory of human color preference. PNAS 107(19), 2010.
- J. Machajdik, A. Hanbury. Affective image classification using features inspired by psychology and art theory.
  ACM Multimedia, 2010.
- X. Lu et al. On shape and the computability of emotions. ACM Multimedia, 2012.
- S. Zhao et al. Exploring principles-of-art features for image emotion recognition. ACM Multimedia, 2014.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from demo.fields import Colour


@dataclass(frozen=True)
class Palette:
    """Colours that are used together, written "#rrggbb"."""

    grounds: str
    """A ramp from the deepest to the lightest, for fields and gradients."""
    accents: str
    """For what is drawn upon it."""

    @cached_property
    def ground(self) -> list[Colour]:
        """The ramp's stops, RGB in 0..1."""
        return [_rgb(code) for code in self.grounds.split()]

    @cached_property
    def accent(self) -> list[Colour]:
        """The accents, RGB in 0..1."""
        return [_rgb(code) for code in self.accents.split()]


@dataclass(frozen=True)
class Mood:
    """An emotion's palettes, and the ranges its pictures' means are brought into."""

    palettes: tuple[Palette, ...]
    brightness: tuple[float, float]
    """Mean luma, 0..1."""
    chroma: tuple[float, float]
    """Mean of the largest minus the smallest channel, 0..1: Munsell's chroma, as the studies used, made simple."""
    vignette: float = 0.0
    relief: float = 0.5
    """How much the light catches the paint; low where surfaces are smooth."""


def _rgb(code: str) -> Colour:
    return np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float32) / 255


MOODS: dict[str, Mood] = {
    "amusement": Mood(
        palettes=(
            Palette("#ffd9a8 #ffeccd #fff6e2 #fffdf6", "#ff5a5f #ffb400 #00a699 #3d7dca #f36fa6 #7bc950"),
            Palette("#a6dcef #cbeef5 #e4f8f6 #fbfffb", "#ff6f3c #ffc93c #e84a8a #155fa0 #35b07c #9b5de5"),
            Palette("#ffc2d6 #ffd6e4 #ffe9ef #fff7f5", "#ef476f #ffd166 #06d6a0 #118ab2 #8338ec #ff9f1c"),
            Palette("#ffe169 #ffec99 #fff3bf #fffbe6", "#e63946 #1d84b5 #2a9d8f #f77f00 #c86bfa #ff70a6"),
        ),
        brightness=(0.56, 0.80),
        chroma=(0.26, 0.55),
        relief=0.3,
    ),
    "anger": Mood(
        palettes=(
            Palette("#0a0203 #4a0508 #a80d12 #e8261a", "#050203 #ff3b1f #ffb199 #1a0204"),
            Palette("#0d0505 #5c0a0a #c21807 #ff4d1c", "#000000 #ff7a1a #fff0d9 #3a0006"),
            Palette("#120308 #5b0820 #b3102f #f02d3a", "#07010a #ff5130 #f6d6d0 #24030f"),
            Palette("#080404 #3b0706 #8f0e0a #d92414", "#020101 #ff5a00 #e8e0da #000000"),
        ),
        brightness=(0.16, 0.36),
        chroma=(0.32, 0.68),
        vignette=0.25,
        relief=0.9,
    ),
    "awe": Mood(
        palettes=(
            Palette("#03061a #0b1c4d #1d4a8c #4f8fc0 #f2c879", "#fff4cf #ffd27a #9fe8e0 #6fb8ff"),
            Palette("#050517 #1b1450 #46308f #9a6bb8 #ffc98f", "#fff0d6 #ffb872 #c9b6ff #8ad0ff"),
            Palette("#021018 #05344a #0f6a80 #57b0a6 #ffe3a1", "#fdf6d8 #b8f5c8 #7fe3d4 #ffd98a"),
            Palette("#040a24 #10256b #2b55b5 #7ea6dd #ffe9c2", "#ffffff #ffe29a #a8d4ff #f7b267"),
        ),
        brightness=(0.22, 0.52),
        chroma=(0.20, 0.50),
        vignette=0.25,
        relief=0.25,
    ),
    "contentment": Mood(
        palettes=(
            Palette("#6f9f7c #9dc3a0 #cfdfba #f3e9cf #fbdcc4", "#f7b58f #fff1d6 #86b58c #e89a7a"),
            Palette("#7fa9a3 #a9cbbd #d9e4cc #f8ecd4 #fbd3bd", "#f4a88a #fff6e4 #92bda6 #d98e73"),
            Palette("#8ea37a #b7c596 #dfdfb4 #f7ebcb #f9d9b0", "#f0b06a #fffaea #a3b881 #db9a66"),
            Palette("#8fb0c4 #b3cdd2 #d8e3d6 #f6ecdc #f8d8cc", "#f2b3a0 #fff5e8 #9cc0b0 #dc9c8c"),
        ),
        brightness=(0.66, 0.84),
        chroma=(0.13, 0.30),
        relief=0.2,
    ),
    "disgust": Mood(
        palettes=(
            Palette("#1d1a08 #4a4413 #7d7a1c #a8a33a #cfc976", "#2b1d0c #c7d13a #5c3b1c #8a9a1f"),
            Palette("#1f1408 #4f3514 #7f5d1f #a68b35 #cdb968", "#241307 #b4bf3c #6d2f24 #93911f"),
            Palette("#141a0c #38451a #66752a #97a345 #c6c98a", "#1d1410 #d6d65a #6b4a5a #7f8f2a"),
            Palette("#1c160f #463a20 #756a35 #9c9a52 #bfc28b", "#2d1a1a #a9b83b #7d4a45 #5f6b1e"),
        ),
        brightness=(0.27, 0.46),
        chroma=(0.17, 0.40),
        vignette=0.2,
        relief=1.0,
    ),
    "excitement": Mood(
        palettes=(
            Palette("#b5005b #f0164f #ff5a1f #ffb300 #fff04a", "#fff7d6 #ff0f7b #7a00ff #00d0ff"),
            Palette("#8a00c2 #e6007e #ff3d3d #ff8a00 #ffe14d", "#ffffff #ffdf00 #ff2e93 #19e3ff"),
            Palette("#d10023 #ff3a12 #ff7a00 #ffbe0b #fff2a0", "#fffbe8 #e0007a #2b59ff #00e0b8"),
            Palette("#5a00d6 #c400c9 #ff1f6b #ff7b2e #ffd93b", "#fff9d9 #00e5ff #ffef5e #ff4d00"),
        ),
        brightness=(0.40, 0.64),
        chroma=(0.56, 0.88),
        relief=0.4,
    ),
    "fear": Mood(
        palettes=(
            Palette("#010203 #060a0e #10181d #26343a #6f8078", "#dfe6d2 #9fb0a6 #020304 #51605c"),
            Palette("#020103 #0a0710 #16111f #2c2638 #77708a", "#e6e0ea #a69fb5 #020103 #57506a"),
            Palette("#010301 #050a07 #0d1712 #203229 #6d8472", "#dff0cf #9db59a #010201 #4a5f50"),
            Palette("#030201 #0b0908 #171411 #2f2a24 #80766a", "#efe3c8 #b0a48f #030201 #5f564b"),
        ),
        brightness=(0.085, 0.19),
        chroma=(0.015, 0.09),
        vignette=0.7,
        relief=0.35,
    ),
    "sadness": Mood(
        palettes=(
            Palette("#1f2a36 #3a4a5a #5d6f80 #8797a3 #b4bfc5", "#141c26 #a9b8c2 #48596a #2b3947"),
            Palette("#23272e #40464f #656d77 #8d949b #b9bdc0", "#171a1f #aab0b5 #4e565f #2f353c"),
            Palette("#1d2b33 #37505a #5b7780 #86a0a5 #b5c6c8", "#121d23 #a6bcc0 #466069 #283c45"),
            Palette("#262636 #434459 #686a80 #9092a3 #bbbcc6", "#17172a #adafbc #505269 #313349"),
        ),
        brightness=(0.26, 0.46),
        chroma=(0.03, 0.13),
        vignette=0.3,
        relief=0.4,
    ),
}
