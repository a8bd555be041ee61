"""Fit the made-up vectors to real ones: `python -m benchmarks.fit_vectors --store A --store B`.

For the maintainers: needs the extra `training`, and stores whose photos the shipped model embedded. The network is
half of an autoencoder; its bottleneck follows a mixture of Gaussians. `OFF_SHEET` scales what the network leaves over:
at 1 the made-up vectors have more directions of their own at the scale of near neighbours than real ones (two-NN 10
in place of 8), at .5 as many.
"""

from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import typer

from benchmarks.vectors import FITTED, Arrays, Neighbourhood, Vectors, bent, blocks, neighbourhood
from emotion.command_line import run
from emotion.console import say
from index.store import SnapshotStore

MAIN: Final = 64
"""Directions that hold 99.97 % of the variance."""
LATENT: Final = 12
CLUSTERS: Final = 24
OFF_SHEET: Final = 0.5
_HIDDEN: Final = 96
_EPOCHS: Final = 300
_BATCH: Final = 128

app = typer.Typer(add_completion=False)


@app.command()
def main(
    store: Annotated[list[Path], typer.Option(help="A store of real photos; may be given again.")],
    out: Annotated[Path, typer.Option(help="File to write.")] = FITTED,
) -> None:
    """Fit, write the parameters, and show how real and made-up vectors compare."""
    snapshots = [SnapshotStore(folder).load() for folder in store]
    real = np.unique(np.concatenate([snapshot.vectors for snapshot in snapshots]), axis=0)
    arrays = fit(real)
    found = neighbourhood(real)
    facts = {
        "real_count": np.array(len(real), np.int32),
        "real_nearest": np.array(found.nearest, np.float32),
        "real_typical": np.array(found.typical, np.float32),
        "real_two_nn": np.array(found.two_nn, np.float32),
    }
    np.savez_compressed(out, allow_pickle=False, **arrays, **facts)
    made = np.concatenate(list(blocks(len(real), 1, arrays)))
    say(f"real:    {_described(found)}")
    say(f"made up: {_described(neighbourhood(made))}")
    say(f"written to {out}, {out.stat().st_size / 1000:.0f} kB")


def fit(real: Vectors) -> Arrays:
    """Parameters for `benchmarks.vectors.blocks`, in float16 where that is enough."""
    from sklearn.mixture import GaussianMixture

    mean = real.mean(0, dtype=np.float64)
    spectrum, axes = np.linalg.eigh(np.cov(real.T.astype(np.float64)))
    basis = axes[:, ::-1][:, :MAIN]
    main = (real - mean) @ basis
    latent, network = _autoencoder(main)
    mixture = GaussianMixture(CLUSTERS, reg_covar=1e-6, random_state=0).fit(latent)
    left_over = main - bent(latent, network)
    off_sheet = OFF_SHEET * np.linalg.cholesky(np.cov(left_over.T) + 1e-12 * np.eye(MAIN))
    rest = np.sqrt(np.maximum(spectrum[:-MAIN], 0).sum() / real.shape[1])
    halves = {"mean": mean, "basis": basis, **network, "off_sheet": off_sheet}
    floats = {
        "shares": mixture.weights_,
        "centres": mixture.means_,
        "factors": np.linalg.cholesky(mixture.covariances_),
        "rest": np.array(rest),
    }
    return {name: array.astype(np.float16) for name, array in halves.items()} | {
        name: array.astype(np.float32) for name, array in floats.items()
    }


def _autoencoder(main: np.ndarray) -> tuple[np.ndarray, Arrays]:
    """The bottleneck's values, and the half that leads from them back; straight parts beside both halves."""
    import torch
    from torch import nn

    torch.manual_seed(0)

    def half(n_in: int, n_out: int) -> Any:
        layers = (nn.Linear(n_in, _HIDDEN), nn.Tanh(), nn.Linear(_HIDDEN, _HIDDEN), nn.Tanh())
        straight = nn.Linear(n_in, n_out, bias=False)
        straight.weight.data = torch.eye(max(n_in, n_out))[:n_out, :n_in].contiguous()
        return nn.ModuleDict({"straight": straight, "bent": nn.Sequential(*layers, nn.Linear(_HIDDEN, n_out))})

    def through(part: Any, values: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = part["straight"](values) + part["bent"](values)
        return result

    scale = main[:, 0].std()
    inputs = torch.tensor(main / scale, dtype=torch.float32)
    there, back = half(MAIN, LATENT), half(LATENT, MAIN)
    steps = -(-len(inputs) // _BATCH)
    optimiser = torch.optim.AdamW([*there.parameters(), *back.parameters()], weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 5e-3, total_steps=_EPOCHS * steps)
    for _ in range(_EPOCHS):
        for batch in torch.randperm(len(inputs)).split(_BATCH):  # type: ignore[no-untyped-call]
            latent = through(there, inputs[batch])
            error = (through(back, latent) - inputs[batch]).square().sum(1).mean() + 1e-3 * latent.square().mean()
            optimiser.zero_grad()
            error.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            schedule.step()
    first, _, second, _, last = back["bent"]
    network = {"straight": scale * back["straight"].weight, "weight0": first.weight, "bias0": first.bias}
    network |= {"weight1": second.weight, "bias1": second.bias}
    network |= {"weight2": scale * last.weight, "bias2": scale * last.bias}
    with torch.no_grad():
        return through(there, inputs).numpy(), {name: value.detach().numpy() for name, value in network.items()}


def _described(found: Neighbourhood) -> str:
    nearest = ", ".join(f"{distance:.4f}" for distance in found.nearest)
    return f"nearest neighbour {nearest}; all distances {found.typical:.3f}; two-NN dimension {found.two_nn:.2f}"


if __name__ == "__main__":
    run(app)
