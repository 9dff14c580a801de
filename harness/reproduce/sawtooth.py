"""The effect of widths that are multiples of 4 (figures 4, 5, 8, 9), and latency per MAC by layer type (table 4)."""

from __future__ import annotations

from typing import Any, NamedTuple

from harness.reproduce.lines import Line

# The layers of interest: (network, indices of the layers whose input has that width), as the paper's table 4 has them.
TYPES = {
    "dense": ("heim-dense", (3, 5)),
    "convolution": ("heim-conv", (2,)),
    "depthwise": ("heim-depthwise", (2,)),
}

_OUTPUTS = 450
_CONVOLUTION_PIXELS, _CONVOLUTION_OUTPUTS = 32 * 32, 60
_DEPTHWISE_PIXELS = 24 * 24

# The paper's own: "even" holds the multiples of 4, too.
SUBSETS = ("all", "odd", "even", "multiple of 4")


class Figure(NamedTuple):
    """A figure of the paper that shows layers against their width, measured with CMSIS-NN; ``widths``: first, last."""

    name: str
    title: str
    layer: str
    kernel: int | None
    layer_index: int
    width: str
    widths: tuple[int, int] | None = None


FIGURES = (
    Figure("fig. 4", "Dense layer of 450 outputs", "dense", None, 3, "input length"),
    Figure("fig. 5", "Convolution, kernel 3, 60 output channels", "convolution", 3, 2, "input channels"),
    Figure("fig. 8", "Depthwise convolution, kernel 3", "depthwise", 3, 2, "channels"),
    Figure("fig. 9", "Dense layer of 450 outputs", "dense", None, 3, "input length", (460, 490)),
)


def macs(layer: str, rows: Any) -> Any:
    """Multiply-accumulates of the layers of one of TYPES, from their width and kernel size."""
    if layer == "dense":
        return _OUTPUTS * rows["width"]
    factor = _CONVOLUTION_PIXELS * _CONVOLUTION_OUTPUTS if layer == "convolution" else _DEPTHWISE_PIXELS
    return factor * rows["width"] * rows["kernel"] ** 2


def figure_rows(layers: Any, figure: Figure) -> Any:
    """The rows of joined layers that a figure shows, by width; ``relative`` columns are against their median."""
    network, _ = TYPES[figure.layer]
    kept = (layers["network"] == network) & (layers["index"] == figure.layer_index) & (layers["kernels"] == "cmsis-nn")
    if figure.kernel is not None:
        kept &= layers["kernel"] == figure.kernel
    if figure.widths is not None:
        kept &= layers["width"].between(*figure.widths)
    rows = layers[kept].sort_values("width").reset_index(drop=True)
    for column in ("latency_us", "instructions"):
        rows[f"{column}_relative"] = rows[column] / rows[column].median()
    return rows


def figure_lines(layers: Any, figure: Figure) -> tuple[Line, ...]:
    """Each width of a figure: latency and instructions against the figure's medians."""
    return tuple(
        Line(
            figure=figure.name,
            effect="against the median",
            case=f"{figure.layer} {row['width']}",
            unit="ratio",
            measured=float(row["latency_us_relative"]),
            emulated=_number(row["instructions_relative"]),
        )
        for _, row in figure_rows(layers, figure).iterrows()
    )


def subset(width: int, name: str) -> bool:
    """Whether a width belongs to a subset of table 4."""
    return {"all": True, "odd": width % 2 == 1, "even": width % 2 == 0, "multiple of 4": width % 4 == 0}[name]


def table_4(layers: Any) -> Any:
    """Cost per MAC by layer type, kernel size, kernel set and subset of widths, the mean over its layers.

    Columns: layer, kernel, kernels, subset, layers (their number), ns_per_mac (measured), instructions_per_mac
    (emulated), and both as ``gain_measured`` and ``gain_emulated`` against all widths with reference kernels. MACs are
    multiply-accumulates without the additions of biases, which the paper counts as some.
    """
    import pandas

    made = []
    for name, kernel, kernels, rows in _groups(layers):
        for what in SUBSETS:
            part = rows[[subset(width, what) for width in rows["width"]]]
            made.append(
                {
                    "layer": name,
                    "kernel": kernel,
                    "kernels": kernels,
                    "subset": what,
                    "layers": len(part),
                    "ns_per_mac": (1000 * part["latency_us"] / part["macs"]).mean(),
                    "instructions_per_mac": (part["instructions"] / part["macs"]).mean(skipna=False),
                }
            )
    table = pandas.DataFrame(made).astype({"kernel": "Int64"})
    whole = table[(table["subset"] == "all") & (table["kernels"] == "reference")]
    against = table[["layer", "kernel"]].merge(whole, on=["layer", "kernel"], how="left")
    table["gain_measured"] = against["ns_per_mac"] / table["ns_per_mac"]
    table["gain_emulated"] = against["instructions_per_mac"] / table["instructions_per_mac"]
    return table


def _groups(layers: Any) -> Any:
    """Rows of joined layers, by (layer type, kernel size or None, kernel set); what has none is left out."""
    for name, (network, indices) in TYPES.items():
        mine = layers[(layers["network"] == network) & layers["index"].isin(indices)]
        if mine.empty:
            continue
        sizes = [None] if mine["kernel"].isna().all() else sorted(mine["kernel"].unique())
        for size in sizes:
            sized = mine if size is None else mine[mine["kernel"] == size]
            for kernels in ("reference", "cmsis-nn"):
                rows = sized[sized["kernels"] == kernels]
                if len(rows):
                    yield name, size, kernels, rows.assign(macs=macs(name, rows))


def gain_lines(table: Any) -> tuple[Line, ...]:
    """Table 4's gains of CMSIS-NN over reference kernels; over all widths they are judged as an effect."""
    return tuple(
        Line(
            figure="table 4",
            effect="CMSIS-NN by layer" if row["subset"] == "all" else "against the reference",
            case=f"{_case(row)} {row['subset']}",
            unit="ratio",
            measured=float(row["gain_measured"]),
            emulated=_number(row["gain_emulated"]),
            judged=row["subset"] == "all",
        )
        for _, row in table[table["kernels"] == "cmsis-nn"].iterrows()
    )


def modulo_lines(layers: Any) -> tuple[Line, ...]:
    """Cost per MAC of odd widths, and of even ones that are no multiple of 4, against that of multiples of 4."""
    made = []
    for name, kernel, kernels, rows in _groups(layers):
        measured, emulated = rows["latency_us"] / rows["macs"], rows["instructions"] / rows["macs"]
        residue = rows["width"] % 4
        for what, those in (("odd widths", residue % 2 == 1), ("even widths", residue == 2)):
            case = f"{_case({'layer': name, 'kernel': kernel, 'kernels': kernels})}"
            made.append(
                Line(
                    figure={"dense": "fig. 4", "convolution": "fig. 5", "depthwise": "fig. 8"}[name],
                    effect=f"{what} over multiples of 4",
                    case=case,
                    unit="ratio",
                    measured=float(measured[those].mean() / measured[residue == 0].mean()),
                    emulated=_number(emulated[those].mean(skipna=False) / emulated[residue == 0].mean(skipna=False)),
                    judged=True,
                )
            )
    return tuple(made)


def _case(row: Any) -> str:
    import pandas

    size = "" if pandas.isna(row["kernel"]) else f" {row['kernel']}x{row['kernel']}"
    return f"{row['layer']}{size} {row['kernels']}"


def _number(value: Any) -> float | None:
    import pandas

    return None if pandas.isna(value) else float(value)
