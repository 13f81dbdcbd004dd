"""transformers' training loop, with several students, teachers and checkpoints that survive."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch.optim.lr_scheduler import LambdaLR
from transformers import PrinterCallback, Trainer, TrainingArguments

from zoo.errors import ZooError
from zoo.events import Event
from zoo.training import checkpoints
from zoo.training.loading import choose_workers, make_loader
from zoo.training.optimising import make_optimiser, rate_factor
from zoo.training.order import Course, Length
from zoo.training.samples import batch_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from torch.utils.data import DataLoader

    from zoo.training.pace import Pace
    from zoo.training.samples import Samples
    from zoo.training.setup import TrainingSetup

WEIGHTS, STATE, PROGRESS = "model.safetensors", "trainer_state.json", "progress.json"


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """What a checkpoint keeps beside networks, optimiser and random numbers.

    Attributes:
        seconds: spent on training up to here.
        sums: losses since the last line of the journal.
        count: batches that were summed.
        shape: batch, batches of a step, batches of an epoch and steps: a resumed training is cut
            to the same.
    """

    seconds: float
    sums: dict[str, float]
    count: int
    shape: tuple[int, int, int, int]


class Loop(Trainer):  # type: ignore[misc]  # transformers is not typed here
    """One training of a :class:`Pupil`.

    Args:
        setup: what is trained.
        folder: of the checkpoints.
        data: samples with the readers of every student and teacher.
        pace: what happens between two steps.
    """

    def __init__(self, setup: TrainingSetup, folder: Path, data: Samples, pace: Pace) -> None:
        self.setup, self.folder, self.pace = setup, folder, pace
        self.length: Length = pace.length
        self.seconds_before = 0.0
        self.optimizer: torch.optim.Optimizer | None
        self._batch = (-1, 0)
        super().__init__(
            model=pace.pupil,
            args=arguments(setup, self.length, folder),
            train_dataset=data,
            data_collator=data.collate,
            callbacks=[pace],
        )
        self.remove_callback(PrinterCallback)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Read the whole course, in order, as if it were one epoch."""
        data: Any = self.train_dataset
        course = Course(data, self.setup.rows, self.length)
        first = course.of_epoch(0)[: self.length.batch]
        loader = make_loader(
            data,
            course,
            data.collate,
            batch=self.length.batch,
            workers=choose_workers(data, data.collate, first, data.modality),
            pinned=self.args.device.type == "cuda",
        )
        prepared: DataLoader[Any] = self.accelerator.prepare(loader)
        return prepared

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Make one for all learners."""
        del model
        if self.optimizer is None:
            # The scaler of fp16 has to see every step that it skips.
            fused = self.setup.precision != "fp16" and self.args.device.type in {"cpu", "cuda"}
            self.optimizer = make_optimiser(self.setup.learners, self.setup.schedule, fused=fused)
        return self.optimizer

    def create_scheduler(
        self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
    ) -> LambdaLR:
        """Let the rates fall as the schedule says."""
        decay = self.setup.schedule.decay
        self.lr_scheduler = LambdaLR(
            optimizer or self.create_optimizer(),
            lambda step: rate_factor(decay, step, num_training_steps),
        )
        return self.lr_scheduler

    def compute_loss(
        self,
        model: Any,
        inputs: Mapping[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        """Ask the teachers, then every student."""
        del num_items_in_batch
        batch = batch_of(inputs)
        with torch.no_grad():
            taught = self.setup.teaching.teach(batch)
        step = self.state.global_step
        total, losses = model(batch, taught, (step + 1) / self.length.steps, self._draw(step))
        self.pace.meter.add(losses, step + 1)
        return (total, losses) if return_outputs else total

    def _draw(self, step: int) -> int:
        """Give the seed of one batch: dropout needs no state to go on from."""
        before, number = self._batch
        self._batch = (step, number + 1 if before == step else 0)
        batch = step * self.length.accumulate + self._batch[1]
        place = int(batch * self.args.world_size + self.args.process_index)
        return (self.setup.seed << 40) + place & (2**63 - 1)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Say nothing: the journal does."""

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> None:
        """Nobody reads it, and it would cost a pass over all weights."""

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """Write the weights of all learners; tensors that are shared once."""
        del state_dict
        assert output_dir is not None
        save_model(self.accelerator.unwrap_model(self.model), f"{output_dir}/{WEIGHTS}")

    def _save_checkpoint(self, model: Any, trial: Any = None) -> None:
        """Write a checkpoint that is there whole or not at all.

        Raises:
            ZooError: a loss is not a number, or nothing can be kept of a training that ends here.
        """
        del model, trial
        checkpoint = checkpoints.checkpoint_of(self.folder, self.state.global_step)
        if not self.args.should_save or checkpoint.exists():
            return
        progress = self._progress()
        try:
            self.pace.journal.sync()
            with checkpoints.appearing(checkpoint) as draft:
                self._write(draft, progress)
            checkpoints.prune(self.folder)
        except (OSError, RuntimeError, SafetensorError) as error:
            self._unsaved(error)

    def _write(self, draft: Path, progress: Progress) -> None:
        self._save(str(draft))
        self._save_optimizer_and_scheduler(str(draft))
        self._save_scaler(str(draft))
        self._save_rng_state(str(draft))
        self.state.save_to_json(str(draft / STATE))
        (draft / PROGRESS).write_bytes(msgspec.json.encode(progress))

    def _unsaved(self, error: Exception) -> None:
        """Go on without a checkpoint, unless there is nothing to go on with."""
        said = f"no checkpoint of step {self.state.global_step} could be written: {error}"
        if self.pace.stop.requested:
            raise ZooError(said, "Free space, and resume from the checkpoint before.") from error
        self.pace.on_event(Event(kind="note", message=f"{said}; the training goes on."))

    def _progress(self) -> Progress:
        return Progress(
            seconds=self.seconds(),
            sums=self.pace.meter.sums(),
            count=self.pace.meter.count,
            shape=_shape(self.length),
        )

    def seconds(self) -> float:
        """Time spent on training, that of earlier calls included."""
        return self.seconds_before + time.monotonic() - self.pace.clock.started

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        """Read the weights of all learners.

        Raises:
            ZooError: they belong to another training.
        """
        try:
            load_model(model or self.model, f"{resume_from_checkpoint}/{WEIGHTS}")
        except RuntimeError as error:
            raise _foreign(resume_from_checkpoint) from error

    def go_on_from(self, checkpoint: Path) -> None:
        """Take over what a checkpoint says about the journal and the time.

        Raises:
            ZooError: it belongs to another training.
        """
        progress = msgspec.json.decode((checkpoint / PROGRESS).read_bytes(), type=Progress)
        if progress.shape != _shape(self.length):
            raise _foreign(str(checkpoint))
        self.seconds_before = progress.seconds
        self.pace.meter.restore(progress.sums, progress.count, self.args.device)


def arguments(setup: TrainingSetup, length: Length, folder: Path) -> TrainingArguments:
    """Say to transformers what is left for it to decide: next to nothing."""
    args = TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=length.batch,
        gradient_accumulation_steps=length.accumulate,
        max_steps=length.steps,
        max_grad_norm=0.0,
        seed=setup.seed % 2**32,
        use_cpu=setup.device.type == "cpu",
        bf16=setup.precision == "bf16",
        fp16=setup.precision == "fp16",
        logging_strategy="no",
        logging_nan_inf_filter=False,
        save_strategy="no",
        eval_strategy="no",
        report_to="none",
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=setup.device.type == "cuda",
    )
    _place(args, setup.device)
    return args


def _place(args: TrainingArguments, device: torch.device) -> None:
    """Use the device that was asked for, and one alone unless a launcher started several of us."""
    if device.type != "cuda" or args.world_size > 1:
        return
    args._n_gpu = 1  # noqa: SLF001 -- else torch.nn.DataParallel cuts batches up
    if device.index:
        torch.cuda.set_device(device)
        args.distributed_state.device = device
        args.__dict__["_setup_devices"] = device


def _shape(length: Length) -> tuple[int, int, int, int]:
    return length.batch, length.accumulate, length.epoch, length.steps


def _foreign(checkpoint: str) -> ZooError:
    return ZooError(
        f"the checkpoint {checkpoint} belongs to another training.",
        "Resume with the data and the recipe that it was started with, or start anew.",
    )
