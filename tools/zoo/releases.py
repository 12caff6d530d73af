"""The old releases in the zoo, each with a Python and libraries of its time."""

from __future__ import annotations

from dataclasses import dataclass

_SCIKIT_2018 = ("numpy==1.16.6", "scipy==1.2.3", "scikit-learn==0.20.4", "joblib==0.14.1")  # the last for Python 2.7
_SCIKIT_2019 = ("numpy==1.17.5", "scipy==1.4.1", "scikit-learn==0.22.2.post1", "joblib==0.14.1")
_SCIKIT_2021 = ("numpy==1.19.5", "scipy==1.5.4", "scikit-learn==0.24.2", "joblib==1.0.1")
_SCIKIT_2023 = ("numpy==1.24.4", "scipy==1.10.1", "scikit-learn==1.2.2", "joblib==1.2.0")
_SCIKIT_2024 = ("numpy==1.26.4", "scipy==1.12.0", "scikit-learn==1.5.2", "joblib==1.4.2")
_SCIKIT_2025 = ("numpy==2.2.6", "scipy==1.15.3", "scikit-learn==1.6.1", "joblib==1.5.1")


@dataclass(frozen=True)
class Release:
    xgboost: str
    python: str
    libraries: tuple[str, ...]
    package: str = "xgboost"

    @property
    def name(self) -> str:
        return f"{self.xgboost}-python{self.python}"

    @property
    def requirements(self) -> tuple[str, ...]:
        return (f"{self.package}=={self.xgboost}", *self.libraries)


RELEASES = (
    Release("0.72.1", "2.7", _SCIKIT_2018),
    Release("0.82", "2.7", _SCIKIT_2018),  # the last for Python 2.7
    Release("0.72.1", "3.6", _SCIKIT_2019),
    Release("0.82", "3.6", _SCIKIT_2019),
    Release("0.90", "3.6", _SCIKIT_2019),
    Release("1.0.2", "3.7", _SCIKIT_2021),
    Release("1.2.1", "3.7", _SCIKIT_2021),
    Release("1.3.3", "3.8", _SCIKIT_2021),
    Release("1.5.2", "3.8", _SCIKIT_2023),
    Release("1.7.6", "3.9", _SCIKIT_2023),
    Release("2.0.3", "3.9", _SCIKIT_2024),
    Release("2.1.4", "3.10", _SCIKIT_2024, "xgboost-cpu"),
    Release("3.0.5", "3.11", _SCIKIT_2025, "xgboost-cpu"),
    Release("3.1.3", "3.12", _SCIKIT_2025, "xgboost-cpu"),
    Release("3.2.0", "3.13", _SCIKIT_2025, "xgboost-cpu"),
)
