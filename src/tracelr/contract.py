"""What torch's schedulers and the frameworks ask of a scheduler, beyond what it is made for."""

from __future__ import annotations

from abc import abstractmethod

from torch import Tensor
from torch.optim.lr_scheduler import LRScheduler

from tracelr.state import step_of


class Contract(LRScheduler):
    """Abstract base: the private methods of `LRScheduler` that others call, by way of two of one's own.

    `LRScheduler.__init__` is never called: it would patch `optimizer.step`, and Dynamo refuses the patched method.
    """

    @abstractmethod
    def get_last_lr(self) -> list[float]:  # type: ignore[override]  # torch says float or tensor; floats here
        """Return the rate of each group, for the next update."""

    @abstractmethod
    def get_lr(self) -> list[float | Tensor]:
        """Return the rate of each group, of its kind."""

    @abstractmethod
    def _go(self, count: int) -> None:
        """Go to a step."""

    def _initial_step(self) -> None:
        self._step_count = 0
        self.step()

    def _update_lr(self, epoch: int | None = None) -> None:
        self._go(self.last_epoch + 1 if epoch is None else step_of("Scheduler.step(epoch)", epoch))

    def _get_closed_form_lr(self) -> list[float | Tensor]:
        return self.get_lr()

    @property  # type: ignore[override]  # an attribute of torch's
    def _last_lr(self) -> list[float]:
        return self.get_last_lr()

    @_last_lr.setter
    def _last_lr(self, _: object) -> None:
        """Torch's own classes write it; here it follows from the step."""
