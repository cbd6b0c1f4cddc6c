"""Real configuration files of training frameworks, against rates that the frameworks' own code gave.

`data/framework_files.json` has the text of each file, reduced to what bears on the rate, its source, ten (step, rate) pairs
and how they were made. The rates agree within 2e-6 of the peak, which covers the frameworks that compute in float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from random import Random
from runpy import run_path
from time import perf_counter
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest
from transformers import TrainingArguments

from tracelr import Schedule, Units
from tracelr.errors import ConfigError
from tracelr.interop._tools import kinds
from tracelr.interop._tools.checks import Place
from tracelr.interop.load import from_dict, load, read
from tracelr.schedules.assignment import Loaded

FILES: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "data" / "framework_files.json").read_text())
TOLERANCE = 2e-6


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Row(NamedTuple):
    """The format; what the file does not say; what the error says without that; or why the file cannot be read."""

    format: str
    units: Mapping[str, int] = NOTHING
    settings: Mapping[str, Any] = NOTHING
    asks: str = ""
    refused: str = ""


EPOCH = {"steps_per_epoch": 1000}
ROWS: dict[str, Row] = {
    "axolotl/constant-with-warmup.yaml": Row("axolotl", EPOCH, asks="2 epochs of batch 1; "),
    "axolotl/llama3-lora-8b.yml": Row("axolotl", EPOCH, asks="4 epochs of batch 2 x 4; "),
    "axolotl/quadratic-warmup.yaml": Row("axolotl", EPOCH, asks="1 epoch of batch 1; "),
    "deepspeed/ds_config_auto.json": Row(
        "deepspeed",
        settings={
            "scheduler.params.total_num_steps": 1000,
            "scheduler.params.warmup_min_lr": 0,
            "scheduler.params.warmup_max_lr": 5e-5,
            "scheduler.params.warmup_num_steps": 100,
        },
        asks="--set scheduler.params.warmup_num_steps=VALUE",
    ),
    "deepspeed/warmup_decay_lr.json": Row("deepspeed"),
    "huggingface/firefly-qlora.json": Row("huggingface"),
    "huggingface/llava-finetune.sh": Row("huggingface", {"duration": 5197}, asks="1 epoch of batch 16; "),
    "huggingface/trl-cli-example.yaml": Row("huggingface", EPOCH, asks="3 epochs of batch 8"),
    "huggingface/zephyr-141b-orpo.yaml": Row("huggingface"),
    "llama_factory/qwen2-muon-full-sft.yaml": Row("huggingface", EPOCH, asks="3 epochs of batch 1 x 8; "),
    "llama_factory/qwen3-lora-sft.yaml": Row("huggingface", EPOCH, asks="3 epochs of batch 1 x 8; "),
    "gpt_neox/pythia-1-4B.yml": Row("gpt_neox", refused="broken YAML"),
    "levanter/gpt2_small_fast.yaml": Row("levanter"),
    "levanter/olmo2_sft.yaml": Row("levanter"),
    "litgpt/llama-3-8b-lora.yaml": Row("litgpt", EPOCH, asks="2 epochs of batch 8; "),
    "litgpt/pretrain-debug.yaml": Row("litgpt", {"devices": 1}, {"train.max_seq_length": 2048}, asks="--devices D"),
    "llm_foundry/gpt2-arc-easy--cpu.yaml": Row("composer", EPOCH, asks="max_duration: 1ep; "),
    "llm_foundry/mpt-7b_dolly_sft.yaml": Row("composer", EPOCH, asks="max_duration: 2ep; "),
    "maxtext/base.yml": Row("maxtext"),
    "maxtext/distillation_gpt_oss_20b.yml": Row("maxtext"),
    "nanogpt/train_gpt2.py": Row("nanogpt"),
    "nanogpt/train_shakespeare_char.py": Row("nanogpt"),
    "nanotron/config_qwen.yaml": Row("nanotron"),
    "nanotron/mup_350m.yaml": Row("nanotron"),
    "nemo/fast-conformer_ctc_bpe.yaml": Row("nemo", EPOCH, asks="1000 epochs; "),
    "nemo/inverse-sqrt.yaml": Row("nemo"),
    "nemo/polynomial-hold.yaml": Row("nemo", EPOCH, asks="150 epochs; "),
    "olmo/OLMo-1B.yaml": Row("olmo"),
    "olmo/OLMo2-7B-stage2-seed42.yaml": Row("olmo"),
    "torchtitan/llama3_8b.toml": Row("torchtitan"),
    "torchtitan/llama3_8b_2024.toml": Row("torchtitan"),
    "torchtune/llama3_2-1B-lora.yaml": Row("torchtune", EPOCH, asks="1 epoch of batch 4 x 8; "),
    "torchtune/max-steps-per-epoch.yaml": Row("torchtune"),
    "detectron2/Base-RCNN-FPN.yaml": Row("detectron2"),
    "detectron2/mask_rcnn_R_50_FPN_3x.yaml": Row(
        "detectron2", settings={"_BASE_": "Base-RCNN-FPN.yaml"}, asks="--set _BASE_=PATH"
    ),
    "diffusers/train_sana_sprint.sh": Row("diffusers"),
    "fairseq/data2vec2_base_images.yaml": Row("fairseq"),
    "fairseq/wav2vec2_base_100h.yaml": Row("fairseq"),
    "hydra/s4-cosine.yaml": Row("hydra", settings={"optimizer.lr": 0.01}, asks="--set optimizer.lr=VALUE"),
    "hydra/sam2.1_hiera_b+_MOSE_finetune.yaml": Row("hydra", EPOCH, asks="40 epochs; "),
    "kohya/EDG_LoraOptiSettings.json": Row("kohya"),
    "kohya/cosine_restarts.toml": Row("kohya", EPOCH, asks="20 epochs; "),
    "lerobot/pi05_train_config.json": Row("lerobot"),
    "lerobot/smolvla_train_config.json": Row("lerobot"),
    "lightning_cli/terratorch-od-vhr10.yaml": Row("lightning_cli", {"steps_per_epoch": 100}, asks="100 epochs; "),
    "mmcv/mmselfsup-adamw_coslr-300e.py": Row("mmcv", EPOCH, asks="300 epochs; "),
    "mmengine/mmdet-schedule_1x.py": Row("mmengine", EPOCH, asks="12 epochs; "),
    "mmengine/mmdet3d-cosine.py": Row("mmengine", {"steps_per_epoch": 100}, asks="40 epochs; "),
    "mmengine/mmpretrain-imagenet_bs1024_adamw_swin.py": Row("mmengine", {"steps_per_epoch": 100}, asks="300 epochs; "),
    "open_clip/stability_example.sh": Row("open_clip", {"devices": 256}, asks="of 135,646,078 samples; "),
    "openrlhf/train_sft.sh": Row("openrlhf", {"samples_per_epoch": 500_000}, asks="of at most 500,000 samples; "),
    "swin/swin_base_22k.yaml": Row("swin", {"steps_per_epoch": 100, "batch_size": 4096}, asks="--batch-size B"),
    "timm/args.yaml": Row("timm", EPOCH, asks="150 epochs of batch 256; "),
    "timm/convnextv2.sh": Row("timm", EPOCH, asks="10 epochs of batch 64; "),
    "torchvision/resnet50-v2.py": Row("torchvision", EPOCH, asks="600 epochs of batch 128; "),
    "ultralytics/args-yolov8n.yaml": Row("ultralytics", EPOCH, {"optimizer": "SGD"}, asks="--set optimizer=NAME"),
    "ultralytics/default.yaml": Row("ultralytics", EPOCH, {"optimizer": "SGD"}, asks="--set optimizer=NAME"),
    "verl/sft_trainer.yaml": Row("verl", EPOCH, asks="4 epochs of batch 256; "),
    "allennlp/slanted_triangular.jsonnet": Row("allennlp", EPOCH, asks="10 epochs; "),
    "big_vision/bit_i1k.py": Row("big_vision", {"samples_per_epoch": 1_268_355}, refused="unexpected indent"),
    "big_vision/vit_s16_i1k.py": Row("big_vision", {"samples_per_epoch": 1_268_355}, asks="90 epochs of batch 1024; "),
    "dino/dinov2-vitl14.yaml": Row("dino", {"devices": 32}, asks="--devices D"),
    "dino/dinov3-vit7b16_pretrain.yaml": Row("dino", {"devices": 256}, asks="--devices D"),
    "easylm/pretrain_llama_7b.sh": Row("easylm"),
    "espnet/librispeech-conformer10.yaml": Row("espnet"),
    "flair/training-parameters.txt": Row("flair", EPOCH, asks="10 epochs of batch 4; "),
    "keras/adam-optimizer-config.json": Row("keras"),
    "keras/cosine-decay.json": Row("keras"),
    "opennmt/config-transformer-base-1GPU.yml": Row("opennmt"),
    "opennmt/llama7B-finetune.yaml": Row("opennmt"),
    "paddleclas/MobileNetV3_large_x1_0.yaml": Row("paddleclas", {"steps_per_epoch": 100}, asks="360 epochs; "),
    "paddleclas/SwinTransformer_tiny.yaml": Row("paddleclas", {"steps_per_epoch": 100}, asks="300 epochs; "),
    "paddleseg/pp_liteseg_stdc1.yml": Row(
        "paddleseg",
        settings={
            "_base_": None,
            "lr_scheduler.type": "PolynomialDecay",
            "lr_scheduler.end_lr": 0,
            "lr_scheduler.power": 0.9,
        },
        asks="--set _base_=PATH",
    ),
    "paddleseg/segformer_b0.yml": Row(
        "paddleseg", settings={"_base_": None, "lr_scheduler.end_lr": 0}, asks="--set _base_=PATH"
    ),
    "scenic/imagenet_vit_config.py": Row("scenic"),
    "spacy/la_core_web_trf.cfg": Row("spacy"),
    "speechbrain/ecapa_tdnn.yaml": Row("speechbrain"),
    "speechbrain/hf_wav2vec.yaml": Row("speechbrain", refused="follows a metric"),
    "t5x/base_wmt_from_scratch.gin": Row("t5x"),
    "t5x/pretrain.gin": Row("t5x"),
    "wenet/aishell-other.yaml": Row("espnet"),
    "megatron/bloom-176b.slurm": Row("megatron", settings={"rampup-batch-size": None}, asks="--set rampup-batch-size=null"),
    "megatron/train_mixtral_8x7b_distributed.sh": Row("megatron"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every file."""
    top = tmp_path_factory.mktemp("configs")
    for name, one in FILES.items():
        (top / name).parent.mkdir(exist_ok=True)
        (top / name).write_text(one["text"])
    return top


def one(found: Loaded) -> Schedule:
    """Return the schedule of the rate of the groups that have no tag."""
    if isinstance(found, Schedule):
        return found
    rates = [each for each in found if each.key == "lr"]
    return next((each for each in rates if each.tags is None or None in each.tags), rates[0]).schedule


def test_every_file_has_a_row() -> None:
    assert sorted(ROWS) == sorted(FILES)


@pytest.mark.parametrize("name", ROWS)
def test_a_file_gives_the_rates_of_its_framework(name: str, folder: Path) -> None:
    row = ROWS[name]
    if row.refused:
        with pytest.raises(ConfigError) as caught:
            load(folder / name, Units(**row.units), settings=row.settings)
        assert row.refused in str(caught.value)
        return
    mapping = kinds.read(folder / name, row.settings)
    found = read(mapping, name, Units(**row.units))
    assert found.format == row.format
    schedule = one(found.schedule)
    pairs = FILES[name]["pairs"]
    peak = max(abs(rate) for _, rate in pairs)
    wrong = [
        (step, rate, float(schedule(step))) for step, rate in pairs if abs(float(schedule(step)) - rate) > TOLERANCE * peak
    ]
    assert not wrong, wrong
    for tag, others in FILES[name].get("tags", {}).items():
        assert isinstance(found.schedule, list)
        tagged = next(each.schedule for each in found.schedule if each.tags is not None and tag in each.tags)
        assert [float(tagged(step)) for step, _ in others] == pytest.approx([rate for _, rate in others], rel=TOLERANCE)


@pytest.mark.parametrize("name", [name for name, row in ROWS.items() if not row.refused])
def test_without_the_numbers_it_gives_the_same_or_asks(name: str, folder: Path) -> None:
    row = ROWS[name]
    if row.asks:
        with pytest.raises(ConfigError) as caught:
            load(folder / name)
        assert row.asks in str(caught.value)
    else:
        assert load(folder / name) == load(folder / name, Units(**row.units), settings=row.settings)


def test_the_page_of_the_formats_is_current() -> None:
    docs = Path(__file__).parents[2] / "docs"
    assert (docs / "formats.md").read_text() == run_path(str(docs / "formats.py"))["page"](), "run: python docs/formats.py"


@pytest.mark.parametrize("name", ROWS)
def test_a_damaged_file_is_read_or_refused_in_a_second(name: str) -> None:
    text, random = FILES[name]["text"], Random(name)
    for _ in range(12):
        cut, length = random.randrange(len(text)), random.choice([1, 5, 50, len(text)])
        damaged = text[:cut] + random.choice(["", "(", "{", "'", "\\", "\n", "9" * 40, "*x", "${a}"]) + text[cut + length :]
        began = perf_counter()
        with suppress(ConfigError):
            read(kinds.mapping(damaged.encode(), Place(name)), name, Units(steps_per_epoch=100, devices=8))
        assert perf_counter() - began < 1


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"optimizer": {"learning_rate": 4e-4}, "lr_decay_steps": 100}, "given the key 'lr_decay_steps'"),
        ({"optimizer": {"learning_rate": 4e-4, "warmup": 100}}, "given the key 'warmup'"),
        (
            {"optimizer": {"learning_rate": 4e-4}, "scheduler": {"t_warmup": 100, "alpha_f": 0.1}, "max_duration": 9},
            "nearly those of olmo, without optimizer.name, scheduler.name",
        ),
        ({"learning_rate": 1e-4, "micro_batch_size": 1, "num_epochs": 1, "warmup_stepz": 5}, "given the key 'warmup_stepz'"),
        ({"sched": "plateau", "opt": "sgd", "lr": 0.1}, "because this one follows a metric"),
        ({"optim_wrapper": {"optimizer": {"lr": "auto"}}}, "--set optim_wrapper.optimizer.lr=VALUE"),
        (
            {"lr_scheduler_type": "cosine", "learning_rate": 1e-4, "max_steps": 9, "loraplus_lr_ratio": 16},
            "loraplus_lr_ratio",
        ),
        ({"log_history": [], "global_step": 3}, "given the log of a run"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(given, units=Units(steps_per_epoch=100))
    assert says in str(caught.value)


def test_two_formats_that_match_are_named_and_one_is_picked() -> None:
    both = {"SOLVER": {"BASE_LR": 0.02}, "lr0": 0.01, "lrf": 0.01, "optimizer": "SGD", "epochs": 3}
    with pytest.raises(ConfigError) as caught:
        from_dict(both)
    assert "settings that may be detectron2 or ultralytics" in str(caught.value)
    with pytest.raises(ConfigError) as caught:
        from_dict(both, format="detectron2")
    assert "given the key 'lr0', which detectron2 does not read" in str(caught.value)


def test_a_setting_replaces_that_of_the_file_and_a_variable_of_a_script(tmp_path: Path) -> None:
    script = "LR=1e-4\npython train.py --lr $LR --min-lr 0 --train-iters $N --lr-decay-style linear\n"
    (tmp_path / "run.sh").write_text(script)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "run.sh")
    assert "$N, which the script does not set (pass --set N=VALUE)" in str(caught.value)
    assert float(one(load(tmp_path / "run.sh", settings={"N": 10, "lr": 2e-4}))(5)) == pytest.approx(1e-4)


def test_the_files_that_a_hydra_file_is_composed_of(tmp_path: Path) -> None:
    (tmp_path / "optimizer").mkdir()
    (tmp_path / "optimizer" / "adam.yaml").write_text("_target_: torch.optim.Adam\nlr: 0.5\n")
    main = "defaults: [{optimizer: adam}, {override hydra/launcher: x}, {data: none}, _self_]\ninterval: step\n"
    main += "scheduler: {_target_: torch.optim.lr_scheduler.StepLR, step_size: 10}\n"
    (tmp_path / "main.yaml").write_text(main)
    assert [float(one(load(tmp_path / "main.yaml"))(step)) for step in (0, 10)] == pytest.approx([0.5, 0.05])
    (tmp_path / "optimizer" / "adam.yaml").unlink()
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "main.yaml")
    assert "--set defaults=null" in str(caught.value)


def test_the_arguments_of_transformers_as_a_dict() -> None:
    arguments = TrainingArguments(
        "x", lr_scheduler_type="linear", warmup_steps=0.1, num_train_epochs=3, use_cpu=True
    ).to_dict()
    with pytest.raises(ConfigError) as caught:
        from_dict(arguments)
    assert "given 3 epochs of batch 8; " in str(caught.value)
    schedule = one(from_dict(arguments, units=Units(steps_per_epoch=100)))
    assert [float(schedule(step)) for step in (0, 30, 300)] == pytest.approx([0, 5e-5, 0])


def test_nothing_in_a_file_is_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    for name, text in {
        "a.py": f"import os\nmax_iters = 10\nlearning_rate = open({str(made)!r}, 'w')\n",
        "a.sh": f"touch {made}\n--lr $(touch {made}) --train-iters `touch {made}` --min-lr 0\n",
        "a.yaml": f"lr_scheduler_type: !!python/object/apply:os.system ['touch {made}']\nlearning_rate: 1\n",
        "a.gin": f"create_learning_rate_scheduler:\n  factors = open({str(made)!r}, 'w')\n",
    }.items():
        (tmp_path / name).write_text(text)
        with pytest.raises(ConfigError):
            load(tmp_path / name)
    assert not made.exists()
