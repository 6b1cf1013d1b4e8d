"""Command lines that work on the good inputs, and what of them the campaign may damage."""

from __future__ import annotations

from dataclasses import dataclass

from .bad_input_world import LAYOUTS


@dataclass(frozen=True)
class Template:
    """A command line that works, and what of it may be damaged.

    Attributes:
        words: the command line; ``{in}`` is the copy of the world, ``{out}`` a new folder,
            ``{world}`` the world itself.
        parts: what is copied of the world.
        targets: patterns below the copy of the files that are damaged, the likely first.
        flags: settings whose values are replaced.
        written: parts of the copy that the command may write to.
        weight: how often it is drawn.
        settings: how often a setting is replaced instead of a file damaged.
    """

    words: tuple[str, ...]
    parts: tuple[str, ...]
    targets: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    weight: float = 1.0
    settings: float = 0.1


TRAINING = ("seed", "lr", "k1", "k2", "eps", "min-samples", "p-num", "k-num", "steps", "img-h",
            "img-w", "num-frames", "test-frames", "batch-size", "memory-temperature",
            "memory-momentum", "trial", "protocol", "network", "backbone", "weights", "precision",
            "device", "cache-dir", "cache", "desc", "augmentation", "schedule", "lr-steps",
            "sampler",
            "save-interval", "test-interval", "log-interval", "workers", "optimiser", "bn-batch",
            "accumulate", "dataset", "data-dir", "output", "resume", "config")  # fmt: skip
WRITTEN = ("output", "cache-dir")  # settings that name what is written
STAGE_ONE_FILES = (
    "runs/one/tracks.csv",
    "runs/one/features.safetensors",
    "runs/one/encoder.safetensors",
    "runs/one/metrics.json",
    "runs/one/config.yaml",
    "runs/one/metrics.jsonl",
)


def _data(layout: str, command: str, weight: float) -> Template:
    """A command on a data set whose lists and pictures are damaged."""
    common = ("--dataset", layout, "--data-dir", f"{{in}}/data/{layout}")
    image = layout not in ("hitsz-vcm", "bupt-campus", "folder")
    lists = {
        "hitsz-vcm": ("info/*",),
        "bupt-campus": ("*.txt", "data_paths.json"),
        "sysu-mm01": ("exp/*",),
        "regdb": ("idx/*_1.txt",),
        "llcm": ("idx/*",),
        "folder": (),
    }[layout]
    patterns = (*lists, *lists, "vireid-synthetic.json", "**/*.jpg", "**/*.bmp", "**")
    targets = tuple(f"data/{layout}/{pattern}" for pattern in patterns)
    parts: tuple[str, ...] = (f"data/{layout}",)
    words: tuple[str, ...] = (command, *common)
    if command == "doctor":
        words += ("--output", "{out}")
    if command == "baseline":
        parts += ("settings",)
        settings = "images" if image else "baseline"
        words = (
            *("baseline", "--config", f"{{in}}/settings/{settings}.yaml", *common),
            *("--output", "{out}", "--allow-incomplete"),
        )
    if command == "evaluate":
        run = "images" if image else "one"
        parts += (f"runs/{run}",)
        words += ("--checkpoint", f"{{in}}/runs/{run}", "--workers", "0", "--device", "cpu")
        if layout == "sysu-mm01":
            words += ("--gallery", "official", "--allow-incomplete")
    flags = ("trial", "dataset", "data-dir", "config")
    return Template(words, parts, targets, flags, weight=weight)


def templates() -> list[Template]:
    """All templates."""
    found = []
    for layout in LAYOUTS:
        found.append(_data(layout, "verify", 3))
        found.append(_data(layout, "baseline", 1))
        found.append(_data(layout, "evaluate", 1))
        found.append(_data(layout, "doctor", 0.4))
    hitsz = ("--dataset", "hitsz-vcm", "--data-dir", "{in}/data/hitsz-vcm")
    base = ("baseline", "--config", "{in}/settings/baseline.yaml", *hitsz)
    two = ("mmm", "--config", "{in}/settings/mmm.yaml", *hitsz)
    data = ("data/hitsz-vcm", "settings")
    weights = ("runs/one/encoder.safetensors", "weights/*.pt", "weights/*.pth")
    network = ("--workers", "0", "--device", "cpu")
    found += [
        Template((*base, "--output", "{out}"), data, ("settings/baseline.yaml",), TRAINING,
                 weight=8, settings=0.6),
        Template((*base, "--output", "{in}/runs/one", "--resume"), (*data, "runs/one"),
                 ("runs/one/checkpoints/last.pt", "runs/one/config.yaml", "runs/one/metrics.jsonl",
                  "runs/one/**"), TRAINING, ("runs/one",), weight=6),
        Template((*base, "--output", "{out}", "--weights", "{in}/runs/one/encoder.safetensors"),
                 (*data, "runs/one/encoder.safetensors"), ("runs/one/encoder.safetensors",),
                 weight=3),
        Template((*base, "--output", "{out}", "--weights", "{in}/weights/m3reid.pt"),
                 (*data, "weights"), ("weights/m3reid.pt",), weight=1.5),
        Template((*base, "--output", "{out}", "--weights", "{in}/weights/m3reid-trunk.pth"),
                 (*data, "weights"), ("weights/m3reid-trunk.pth",), weight=1.5),
        # Shards are found by the places of their pictures, so these are not copied.
        Template((*base[:3], "--dataset", "hitsz-vcm", "--data-dir", "{world}/data/hitsz-vcm",
                  "--output", "{out}", "--cache", "disk", "--cache-dir", "{in}/cache"),
                 ("cache", "settings"), ("cache/**/*.frames",), ("cache-dir",), ("cache",),
                 weight=1.5),
        Template((*two, "--baseline", "{in}/runs/one", "--output", "{out}"), (*data, "runs/one"),
                 STAGE_ONE_FILES, ("baseline",), weight=14, settings=0.03),
        Template((*two, "--baseline", "{in}/runs/one", "--output", "{out}"), (*data, "runs/one"),
                 ("settings/mmm.yaml",),
                 (*TRAINING, "baseline", "variant", "memories", "matcher", "rematch-interval",
                  "memory-prototypes", "semi-supervised", "labelled-tracks", "epochs"),
                 weight=5, settings=0.6),
        Template((*two, "--baseline", "{in}/runs/one", "--output", "{out}", "--semi-supervised",
                  "0.5", "--labelled-tracks", "{in}/settings/labelled.txt"), (*data, "runs/one"),
                 ("settings/labelled.txt",), ("labelled-tracks", "semi-supervised"), weight=2),
        Template((*two, "--supervised", "--weights", "none", "--output", "{out}"), data,
                 ("settings/mmm.yaml", "data/hitsz-vcm/info/*"), TRAINING, weight=1.5,
                 settings=0.4),
        Template((*two, "--baseline", "{in}/runs/one", "--output", "{in}/runs/two", "--resume"),
                 (*data, "runs/one", "runs/two"),
                 ("runs/two/checkpoints/last.pt", "runs/two/checkpoints/last.pt", "runs/two/**",
                  "runs/one/*"), TRAINING, ("runs/two",), weight=5),
        Template(("evaluate", *hitsz, "--checkpoint", "{in}/runs/one", *network),
                 ("data/hitsz-vcm", "runs/one/encoder.safetensors"),
                 ("runs/one/encoder.safetensors",),
                 ("protocol", "trial", "batch-size", "workers", "precision", "flip", "rerank",
                  "checkpoint", "output", "dataset"), weight=6, settings=0.2),
        Template(("evaluate", *hitsz, "--checkpoint", "{in}/runs/one", *network, "--output",
                  "{out}"), ("data/hitsz-vcm", "runs/one"), ("runs/one/*",), weight=1),
        Template(("average", "{in}/runs/one", "{in}/runs/ranked"), ("runs/one", "runs/ranked"),
                 ("runs/one/metrics.jsonl", "runs/one/config.yaml", "runs/ranked/*"),
                 ("runs", "output"), weight=5),
        Template(("compare", "{in}/runs/one", "{in}/runs/images"), ("runs/one", "runs/images"),
                 ("runs/one/metrics.jsonl", "runs/images/config.yaml", "runs/one/*"),
                 ("tolerance", "runs"), weight=5),
        Template(("compare", "{in}/runs/one", "{in}/runs/ranked"), ("runs/one", "runs/ranked"),
                 ("runs/one/metrics.jsonl", "runs/ranked/*", "runs/one/*"), ("tolerance",),
                 weight=2),
        Template(("report", "{in}/runs/one", "--output", "{out}.html"),
                 ("runs/one", "data/hitsz-vcm"),
                 ("runs/one/metrics.jsonl", "runs/one/test_tracks.csv", "runs/one/train_tracks.csv",
                  "runs/one/test_features.safetensors", "runs/one/last_clustering.safetensors",
                  "runs/one/config.yaml", "runs/one/*", "data/hitsz-vcm/**/*.jpg"), ("output",),
                 weight=10),
        Template(("report", "{in}/runs/two"), ("runs/one", "runs/two", "data/hitsz-vcm"),
                 ("runs/two/*", "runs/one/*", "runs/two/metrics.jsonl"), ("output",),
                 ("runs/two/report.html",), weight=6),
        Template(("report", "{in}/runs/one", "{in}/runs/images", "{in}/runs/ranked"),
                 ("runs/one", "runs/images", "runs/ranked", "data/hitsz-vcm", "data/regdb"),
                 ("runs/one/*", "runs/images/*", "runs/ranked/*"), (),
                 ("runs/one/comparison.html",), weight=3),
        Template(("cluster", "{in}/features/features.safetensors"), ("features",),
                 ("features/features.safetensors",), ("k1", "k2", "eps", "min-samples", "grid"),
                 weight=5, settings=0.25),
        Template(("cluster", "{in}/features/features.safetensors", "--scan"), ("features",),
                 ("features/features.safetensors",), ("grid", "eps", "k1"), weight=2),
        Template(("cluster", "{in}/runs/one"), ("runs/one",), STAGE_ONE_FILES, ("k1", "grid"),
                 weight=5),
        Template(("export", "{in}/runs/one", "--output", "{out}.safetensors", "--format",
                  "safetensors"), ("runs/one/encoder.safetensors",), weights[:1],
                 ("format", "output", "input"), weight=3),
        *(Template(("export", f"{{in}}/weights/{name}", "--output", "{out}.safetensors",
                    "--format", "safetensors"), ("weights",), (f"weights/{name}",), (), weight=1)
          for name in ("m3reid-published.pth", "agw-published.pth", "agw.pt")),
        Template(("doctor", "--recipe", "{in}/settings/baseline.yaml"), ("settings",),
                 ("settings/baseline.yaml",), ("recipe", "output", "dataset", "data-dir"),
                 weight=4),
        Template(("ablate", *hitsz, "--baseline-config", "{in}/settings/baseline.yaml",
                  "--mmm-config", "{in}/settings/mmm.yaml", "--rows", "stage-one", "--seeds", "0",
                  "--output", "{in}/runs/ablation"), (*data, "runs/ablation"),
                 ("settings/baseline.yaml", "settings/mmm.yaml", "runs/ablation/**",
                  "runs/ablation/*"), ("rows", "seeds", "over", "processes", "threads", "data-dir"),
                 ("runs/ablation",), weight=4, settings=0.3),
        Template(("ablate", *hitsz, "--baseline-config", "{in}/settings/baseline.yaml",
                  "--mmm-config", "{in}/settings/mmm.yaml", "--rows",
                  "stage-one,{in}/settings/rows.yaml", "--seeds", "0", "--data-dir", "{out}/none",
                  "--output", "{in}/runs/ablation"), (*data, "runs/ablation"),
                 ("settings/rows.yaml",), (), ("runs/ablation",), weight=2, settings=0),
        Template(("synth", "--config", "{in}/settings/synth.yaml", "--output", "{out}"),
                 ("settings",), ("settings/synth.yaml",),
                 ("preset", "layout", "seed", "workers", "unshared", "output"), weight=2.5,
                 settings=0.5),
        Template(("synth", "--layout", "regdb", "--preset", "tiny", "--output", "{in}/data/regdb",
                  "--workers", "1"), ("data/regdb",),
                 ("data/regdb/vireid-synthetic.json", "data/regdb/**"), ("seed",), ("data/regdb",),
                 weight=1.5),
    ]  # fmt: skip
    return found
