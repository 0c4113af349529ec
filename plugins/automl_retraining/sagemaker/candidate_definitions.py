"""What a candidate definition notebook says: candidates, images, objectives, fixed hyperparameters and ranges.

Autopilot writes its definitions as Python literals in the notebook's cells and nowhere else (developer guide,
"Candidate definition notebook"). The literals are read, no cell is run.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pydantic import Field, ValidationError

from automl_retraining.core.errors import DataError
from automl_retraining.core.records import Record
from automl_retraining.core.trainer_specs import ParameterRange
from automl_retraining.sagemaker import images

_PARAMETERS = ("IntegerParameter", "ContinuousParameter", "CategoricalParameter")
_SCALINGS = {
    "Auto": "auto",
    "Linear": "linear",
    "Logarithmic": "logarithmic",
    "ReverseLogarithmic": "reverse_logarithmic",
}
_NAMES = {
    "BASE_AUTOML_JOB_CONFIG": "the job and its images",
    "ALGORITHM_OBJECTIVE_METRICS": "each algorithm's objective",
    "STATIC_HYPERPARAMETERS": "what is fixed",
    "ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES": "what is searched",
}


class Machine(Record):
    """Instances of a job; a transform has no volume to size."""

    instance_type: str
    instance_count: int = 1
    volume_size_in_gb: int = 50


class Definition(Record):
    """One candidate pipeline: a data transformer ``dpp<i>`` and the algorithm tuned on its features."""

    name: str
    transformer: str
    algorithm: str
    title: str = Field("", description="what the notebook says of it")
    transformer_machine: Machine
    transform_machine: Machine
    algorithm_machine: Machine
    features_type: str = Field(description="content type of the features")
    sparse: bool = False
    static: dict[str, str] = Field(default_factory=dict, description="this candidate's own fixed hyperparameters")


class Algorithm(Record):
    """What the candidates of one algorithm share."""

    training_image: str
    inference_image: str
    objective: str
    static: dict[str, str]
    ranges: dict[str, ParameterRange]


class CandidateDefinitions(Record):
    """candidate_definitions.json and the XCom of the definitions task."""

    job_name: str
    notebook_uri: str
    transformer_image: str
    modules_uri: str = Field(description="the folder that holds the package of the data transformers")
    rows_uri: str = Field(description="the rows without header, target included, below train/ and validation/")
    maximize: bool
    candidates: tuple[Definition, ...]
    algorithms: dict[str, Algorithm]

    @property
    def names(self) -> tuple[str, ...]:
        """The candidates' names in the notebook's order."""
        return tuple(each.name for each in self.candidates)

    def named(self, name: str) -> tuple[Definition, Algorithm]:
        """That candidate with its algorithm; DataError naming those that there are."""
        for each in self.candidates:
            if each.name == name:
                return each, self.algorithms[each.algorithm]
        raise DataError(f"candidate: expected one of {', '.join(self.names)}, found {name!r}")


def read(text: str, notebook_uri: str, *, region: str) -> CandidateDefinitions:
    """The definitions in a candidate definition notebook.

    Args:
        text: The notebook, JSON of nbformat 4.
        notebook_uri: Where Autopilot put it: ``<job's folder>/notebooks/<name>.ipynb``, beside ``generated_module/``.
        region: Of the images, where the notebook gives their versions only.

    Raises:
        DataError: another shape than Autopilot's, saying which cell or name; no candidate at all.
    """
    where = f"candidate definition notebook {notebook_uri}"
    found = _Cells(where)
    for number, title, tree in _code(text, where):
        found.read(number, title, tree)
    base = found.value("BASE_AUTOML_JOB_CONFIG")
    if not found.selected:
        raise DataError(
            f"{where}: expected at least one call select_candidate({{...}}), found none: did the job make candidate "
            "definitions? Ensembles have none"
        )
    try:
        job = str(base["automl_job_name"])
        candidates = tuple(_definition(raw, title) for title, raw in found.selected)
        algorithms = {
            name: Algorithm(
                training_image=_algorithm_image(base, "algo_image", name, region),
                inference_image=_algorithm_image(base, "algo_inference_image", name, region),
                objective=found.value("ALGORITHM_OBJECTIVE_METRICS")[name],
                static=_texts(found.value("STATIC_HYPERPARAMETERS")[name]),
                ranges=found.value("ALGORITHM_TUNABLE_HYPERPARAMETER_RANGES")[name],
            )
            for name in dict.fromkeys(each.algorithm for each in candidates)
        }
        definitions = CandidateDefinitions(
            job_name=job,
            notebook_uri=notebook_uri,
            transformer_image=_transformer_image(base, region),
            modules_uri=f"{notebook_uri.rsplit('/', 2)[0]}/generated_module",
            rows_uri=f"{str(base['automl_output_s3_base_path']).rstrip('/')}/{job}/preprocessed-data/tuning_data",
            maximize=found.maximize(),
            candidates=candidates,
            algorithms=algorithms,
        )
    except (KeyError, TypeError, AttributeError) as error:
        missing = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"{where}: expected definitions as Autopilot writes them, found {missing}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise DataError(
            f"{where}: {'.'.join(str(part) for part in first['loc'])}: expected a definition as Autopilot writes it, "
            f"found {first['input']!r} ({first['msg']})"
        ) from error
    if len(set(definitions.names)) < len(definitions.names):
        raise DataError(f"{where}: expected each candidate once, found {', '.join(definitions.names)}")
    return definitions


class _Cells:
    """What was found so far, cell by cell."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._values: dict[str, Any] = {}
        self._objective_type: Any = None
        self.selected: list[tuple[str, Mapping[str, Any]]] = []

    def read(self, number: int, title: str, tree: ast.Module) -> None:
        """Take over the literals of one cell that mean something here."""
        for node in ast.walk(tree):
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id in _NAMES:
                        self._values[target.id] = self._literal(node.value, f"cell {number}, {target.id}")
            elif isinstance(node, ast.Call):
                called = _called(node)
                if called == "select_candidate":
                    given = [*node.args, *(keyword.value for keyword in node.keywords)]
                    if len(given) != 1:
                        raise DataError(
                            f"{self._where}: cell {number}: expected select_candidate with one definition, found "
                            f"{len(given)} arguments"
                        )
                    self.selected.append((title, self._literal(given[0], f"cell {number}, select_candidate")))
                elif called in ("HyperparameterTuner", "create"):
                    for keyword in node.keywords:
                        if keyword.arg == "objective_type":
                            self._objective_type = self._literal(keyword.value, f"cell {number}, objective_type")

    def value(self, name: str) -> Any:
        """The value assigned to that name; DataError where no cell does."""
        if name not in self._values:
            raise DataError(f"{self._where}: expected a cell that assigns {name} ({_NAMES[name]}), found none")
        return self._values[name]

    def maximize(self) -> bool:
        """The direction that the notebook's tuner has; DataError where there is none."""
        if self._objective_type not in ("Maximize", "Minimize"):
            raise DataError(
                f"{self._where}: expected a tuner with objective_type 'Maximize' or 'Minimize', found "
                f"{self._objective_type!r}"
            )
        return bool(self._objective_type == "Maximize")

    def _literal(self, node: ast.expr, where: str) -> Any:
        try:
            return _evaluate(node)
        except ValueError as error:
            raise DataError(
                f"{self._where}: {where}: expected a literal, found {ast.unparse(node)[:80]!r}: {error}"
            ) from error


def _code(text: str, where: str) -> Iterator[tuple[int, str, ast.Module]]:
    """Code cells that are plain Python: their number, the Markdown before them, and their syntax tree."""
    try:
        cells = json.loads(text)["cells"]
        title = ""
        for number, cell in enumerate(cells):
            source = cell["source"]
            source = source if isinstance(source, str) else "".join(source)
            if cell["cell_type"] == "markdown":
                title = source
            elif cell["cell_type"] == "code":
                # Magics and shell lines are no Python, and say nothing about candidates.
                plain = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
                yield number, title, ast.parse(plain)
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise DataError(f"{where}: expected a notebook (JSON with cells), found {text[:60]!r}") from error
    except SyntaxError as error:
        raise DataError(f"{where}: cell {number}: expected Python, found {error.text!r}: {error.msg}") from error


def _evaluate(node: ast.expr) -> Any:
    """A literal in which ranges may be written as the SDK's parameters; ValueError for anything else."""
    if isinstance(node, ast.Dict):
        if any(key is None for key in node.keys):
            raise ValueError("expected keys")
        return {_evaluate(key): _evaluate(value) for key, value in zip(node.keys, node.values, strict=True) if key}
    if isinstance(node, ast.Call):
        return _range(node)
    return ast.literal_eval(node)


def _range(node: ast.Call) -> ParameterRange:
    """``IntegerParameter(1, 8, scaling_type="Linear")`` and its siblings; ValueError for another call."""
    kind = _called(node)
    if kind not in _PARAMETERS:
        raise ValueError(f"expected one of {', '.join(_PARAMETERS)}")
    positions = ("values",) if kind == "CategoricalParameter" else ("min_value", "max_value", "scaling_type")
    given = dict(zip(positions, (ast.literal_eval(each) for each in node.args), strict=False))
    given |= {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in node.keywords}
    number: Callable[[Any], int | float] = int if kind == "IntegerParameter" else float
    try:
        if kind == "CategoricalParameter":
            return ParameterRange(values=tuple(str(each) for each in given["values"]))
        scaling: Any = _SCALINGS[given.get("scaling_type", "Auto")]
        return ParameterRange(min=number(given["min_value"]), max=number(given["max_value"]), scaling=scaling)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{kind} lacks or does not know {error}") from error


def _called(node: ast.Call) -> str:
    """The last name of what is called."""
    function = node.func
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _definition(raw: Mapping[str, Any], title: str) -> Definition:
    transformer, algorithm = raw["data_transformer"], raw["algorithm"]
    return Definition(
        name=f"{transformer['name']}-{algorithm['name']}",
        transformer=transformer["name"],
        algorithm=algorithm["name"],
        title=title,
        transformer_machine=Machine(**transformer["training_resource_config"]),
        transform_machine=Machine(**transformer["transform_resource_config"]),
        algorithm_machine=Machine(**algorithm["training_resource_config"]),
        features_type=transformer["transformed_data_format"],
        sparse=bool(transformer.get("sparse_encoding")),
        static=_texts(algorithm.get("candidate_specific_static_hyperparameters") or {}),
    )


def _texts(hyperparameters: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in hyperparameters.items()}


# Notebooks name images by their URI, or by a version of a repository whose registry goes without saying.


def _transformer_image(base: Mapping[str, Any], region: str) -> str:
    if uri := base.get("data_transformer_image_uri"):
        return str(uri)
    return f"{_registry('scikit-learn', region)}/sagemaker-sklearn-automl:{base['data_transformer_image_repo_version']}"


def _algorithm_image(base: Mapping[str, Any], what: str, name: str, region: str) -> str:
    if uris := base.get(f"{what}_uris"):
        return str(uris[name])
    tag = base[f"{what}_repo_versions"][name]
    if name == "xgboost":
        return f"{_registry('xgboost', region)}/sagemaker-xgboost:{tag}"
    repository = "mxnet-algorithms" if name == "mlp" else name
    return f"{_registry('linear-learner', region)}/{repository}:{tag}"


def _registry(image: str, region: str) -> str:
    return images.image_uri(image, region, images.versions(image)[-1]).rsplit("/", 1)[0]
