"""Node data of Model Explorer: a file a metric, to be added to the graph of the same network.

Its adapter of .tflite files names each operator's node by the operator's index, as text, and reads
{"name", "results": {node: {"value", "bgColor"?}}, "gradient"?} (node_data_builder.py and
node_data_provider_extension_service.ts of google-ai-edge/model-explorer, August 2026). An operator without a value is
left out of "results".
"""

from __future__ import annotations

import json
from typing import Any

from harness.export import metrics
from harness.export.made import File, Made, Run
from harness.export.metrics import Metric

# From white to a blue which Model Explorer writes white letters on.
_LEAST, _MOST = "#ffffff", "#08519c"
# It divides by the difference of the largest and the smallest value, and shows no colour where that is 0.
_ALL_EQUAL = "#9ecae1"


def make(run: Run) -> Made:
    """The files, one a metric."""
    return Made(
        tuple(
            File(f"model-explorer.{item.key}", "json", json.dumps(_data(item), indent=1).encode() + b"\n")
            for item in metrics.of(run.result)
        )
    )


def _data(metric: Metric) -> dict[str, Any]:
    results: dict[str, dict[str, Any]] = {str(index): {"value": value} for index, value in metric.values.items()}
    if len(set(metric.values.values())) == 1:
        return {"name": metric.title, "results": {key: item | {"bgColor": _ALL_EQUAL} for key, item in results.items()}}
    gradient = [{"stop": 0, "bgColor": _LEAST}, {"stop": 1, "bgColor": _MOST}]
    return {"name": metric.title, "results": results, "gradient": gradient}
