"""Package `pymarl-wqmix` (import name `wqmix`); the folder map is the architecture."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
# Where it is published, "https://github.com/OWNER/NAME", to be set for a release: the
# page of a package index cannot follow links into this folder.
ADDRESS = ""
FOLDERS = {
    "wqmix": "src",
    "wqmix.plugin": "plugin",
    "wqmix.host": "host",
    "wqmix.storage": "storage",
    "wqmix.config": "config",
    "wqmix.theory": "theory",
    "wqmix.session": "session",
    "wqmix.analysis": "analysis",
}
PACKAGES = [
    name
    for package, folder in FOLDERS.items()
    if (HERE / folder).is_dir()
    for name in [package] + [f"{package}.{sub}" for sub in find_packages(folder)]
]
PLOTS = ["matplotlib>=3.7"]
THEORY = ["scipy>=1.8"]
# rliable breaks with a newer pandas, through arch.
ANALYSIS = ["matplotlib>=3.7", "rliable>=1.2,<1.3", "arch>=5.3,<8", "pandas>=1.5,<3"]
ANALYSIS += ["jinja2>=3"]
GYMNASIUM = ["gymnasium>=0.29"]
LBF = GYMNASIUM + ["lbforaging>=2,<3"]
NUMBA = ["numba>=0.59", "platformdirs>=3"]
MPE = GYMNASIUM + ["mpe2>=1,<2"]
TEST = ["pytest>=7", "pytest-xdist>=3", "hypothesis>=6"]
# Small environments to test with; older Pythons skip those tests.
TEST += [f"{name}; python_version >= '3.10'" for name in LBF + MPE[1:] + NUMBA]


def description(readme, address):
    """Return the README for a package index: links into the folder are absolute.

    Without an address they become text.
    """
    link = re.compile(r"\[([^\]]+)\]\((?!\w+:|#)([^)\s]+)\)")
    return link.sub(rf"[\1]({address}/blob/main/\2)" if address else r"\1", readme)


URLS = {"Paper": "https://arxiv.org/abs/2006.10800"}
if ADDRESS:
    URLS.update(
        Source=ADDRESS,
        Documentation=f"{ADDRESS}/tree/main/docs",
        Changelog=f"{ADDRESS}/blob/main/CHANGELOG.md",
        Issues=f"{ADDRESS}/issues",
    )

setup(
    name="pymarl-wqmix",
    version="0.2.0",
    description="Weighted QMIX (CW-QMIX, OW-QMIX) for every PyMARL-family checkout",
    long_description=description((HERE / "README.md").read_text("utf-8"), ADDRESS),
    long_description_content_type="text/markdown",
    author="The wqmix maintainers",
    license="Apache-2.0",
    license_files=["LICENSE"],
    project_urls=URLS,
    keywords="multi-agent reinforcement learning, QMIX, Weighted QMIX, PyMARL",
    classifiers=[
        "Development Status :: 4 - Beta",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        *(f"Programming Language :: Python :: 3.{minor}" for minor in range(8, 14)),
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
    ],
    python_requires=">=3.8",
    package_dir={name: dir for name, dir in FOLDERS.items() if (HERE / dir).is_dir()},
    packages=PACKAGES,
    package_data={
        "wqmix": ["py.typed"],
        "wqmix.analysis": ["*/*.html"],
        "wqmix.config": ["*.yaml", "*/*.yaml", "*/*/*.yaml"],
    },
    install_requires=[
        "torch>=1.12",
        "numpy",
        "pyyaml",
        "sacred>=0.7.5",  # beside any setuptools, or none: config/sacred.py
        "tqdm",
    ],
    extras_require={
        "plots": PLOTS,
        "theory": THEORY + PLOTS,
        "analysis": ANALYSIS,
        "tune": PLOTS + ["optuna>=3.6"],
        "ray": ["ray>=2.7"],
        "slurm": ["submitit>=1.5"],
        "gymma": GYMNASIUM,
        "lbf": LBF,
        "rware": GYMNASIUM + ["rware>=2,<3"],
        "pettingzoo": GYMNASIUM + ["pettingzoo>=1.24"],
        "mpe": MPE,
        "skirmish": NUMBA,
        "smax": ["jaxmarl>=0.2,<0.3"],
        "tensorboard": ["tensorboardX>=2.6"],
        "wandb": ["wandb>=0.16"],
        "docs": ["mkdocs-material>=9.5,<10", "mkdocstrings[python]>=0.26,<2"],
        "test": TEST + PLOTS + THEORY,
    },
    entry_points={"console_scripts": ["wqmix = wqmix.__main__:main"]},
)
