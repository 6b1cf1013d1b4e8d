"""One of several processes of a training from labels: `torchrun -m benchmarks.gpu_worker FILE`."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from vireid.distributed import ranks
from vireid.supervised.settings import SupervisedSettings
from vireid.supervised.train import train_supervised

if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    given |= {name: Path(given[name]) for name in ("data_dir", "output")}
    train_supervised(SupervisedSettings(**given))
    ranks.leave()
