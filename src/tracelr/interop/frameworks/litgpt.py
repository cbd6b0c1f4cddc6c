"""LitGPT: YAML with `train: {lr_warmup_steps, global_batch_size, micro_batch_size}` and `optimizer.init_args.lr`.

Pretraining (`max_tokens`) counts micro-batches, fine-tuning (`epochs`) updates. Source: litgpt/pretrain.py,
litgpt/finetune/lora.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tracelr.errors import Unquoted
from tracelr.interop._tools import lengths, torch_names
from tracelr.interop._tools.pieces import drop_first, in_units, warmed
from tracelr.interop._tools.section import Section
from tracelr.schedules.base import Schedule
from tracelr.schedules.curves.cosine import Cosine

EXAMPLE = """\
train: {global_batch_size: 8, micro_batch_size: 1, lr_warmup_steps: 10, max_tokens: 1.0e+9, max_seq_length: 512}
optimizer: {class_path: torch.optim.AdamW, init_args: {lr: 2.0e-4}}
devices: 1
"""


def matches(mapping: Mapping[Any, Any]) -> bool:
    train = mapping.get("train")
    if not isinstance(train, Mapping):
        return False
    warm = "lr_warmup_steps" in train or "lr_warmup_fraction" in train
    own = "micro_batch_size" in train or "tokenizer_dir" in mapping or "checkpoint_dir" in mapping
    return own and (warm or "global_batch_size" in train)


def read(s: Section) -> Schedule:
    train, peak = s.section("train"), _rate(s)
    tokens, epochs = train.number("max_tokens", default=None), train.number("epochs", default=None)
    train.ignore("min_lr", "lr_warmup_steps", "lr_warmup_fraction", "max_steps")
    if (tokens is None) == (epochs is None):
        given = Unquoted("both max_tokens and epochs" if tokens else "neither max_tokens nor epochs")
        raise train.where.refuse(
            given, "max_tokens for pretraining, or epochs for fine-tuning", "set one, for example by --set"
        )
    return _fine_tuning(s, train, peak, epochs) if tokens is None else _pretraining(s, train, peak, int(tokens))


def _rate(s: Section) -> float:
    train = s.section("train")
    if not s.has("optimizer") and "learning_rate" in train.given:  # releases before 0.4
        return float(train.number("learning_rate"))
    if isinstance(s.given.get("optimizer"), str):
        return torch_names.DEFAULT_RATES.get(torch_names.class_name(s.text("optimizer"))) or float(
            s.section("optimizer").number("lr")
        )
    optimizer = s.section("optimizer")
    name = torch_names.class_name(optimizer.text("class_path", default="torch.optim.AdamW"))
    if "lr" in optimizer.given:  # a flag
        return float(optimizer.number("lr"))
    return torch_names.optimizer_rate(optimizer.section("init_args", optional=True), name)


def _warmup(train: Section, whole: int | None, times: int) -> int:
    fraction = train.number("lr_warmup_fraction", default=None)
    if fraction:
        if whole is None:
            raise train.refuse("lr_warmup_fraction", allowed="lr_warmup_steps", fix="write the warm-up in steps")
        return train.part("warm-up", fraction, whole, int)
    return int(train.count("lr_warmup_steps", default=100)) * times


def _fine_tuning(s: Section, train: Section, peak: float, epochs: float) -> Schedule:
    whole, micro = train.count("global_batch_size", default=16), train.count("micro_batch_size", default=1)
    most = train.count("max_steps", default=None)
    steps = lengths.total(s, epochs, lengths.epochs_of(whole, 1, epochs), whole, whole_batch=True)
    steps = min(steps, most or steps)
    warm = _warmup(train, steps, 1)
    s.note(f"fine-tuning decays to 0: min_lr has no effect there (micro-batches of {micro})")
    return warmed(train.build(Cosine, peak, 0.0, steps - warm), peak, warm)


def _pretraining(s: Section, train: Section, peak: float, tokens: int) -> Schedule:
    units, given = lengths.units_of(s), s.given.get("devices", "auto")
    devices = units.devices if not isinstance(given, int) or isinstance(given, bool) else given
    if devices is None:
        raise lengths.ask(s, f"devices: {given}", "--devices D")
    length, model = train.count("max_seq_length", default=None), s.given.get("model")
    if length is None and isinstance(model, Mapping):
        inner = s.section("model")
        inner.ignore(*inner.given)
        length = inner.count("block_size", default=None)
    if length is None:
        raise train.missing("max_seq_length", "the length of a sequence, which is the block size of the model by default")
    micro = train.count("micro_batch_size", default=4)
    many = max(1, train.count("global_batch_size", default=512) // devices // micro)
    iterations = tokens // devices // (micro * length)
    warm = _warmup(train, iterations, many)
    low = train.number("min_lr", default=4e-5)
    s.note(f"{iterations:,} micro-batches, {many} for an update: update k has the rate of its last one")
    curve = warmed(train.build(Cosine, peak, low, iterations - warm), peak, warm)
    return s.build(in_units, drop_first(curve, many - 1), many)
