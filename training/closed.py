"""What all settings have in common."""

from pydantic import BaseModel, ConfigDict


class Closed(BaseModel):
    """Frozen, and an unknown key or a number that is not finite is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
