"""An accuracy as text."""

from __future__ import annotations

from rich.text import Text

from harness.accuracy import AccuracyResult
from harness.report.tables import printable

_MOST_IMAGES = 20


def accuracy(shown: AccuracyResult) -> Text:
    """Clipped values, both accuracies, every image that differs (the first twenty), instructions, the host's speed."""
    text = Text()
    text.append(f"{printable(shown.model)} on {shown.platform}", style="bold")
    text.append(
        f", {shown.kernels} kernels, {shown.optimisation}, {'FPU' if shown.hard_float else 'no FPU'}, "
        f"{shown.emulator.name} {shown.emulator.version}"
    )
    if shown.machine != shown.platform:
        text.append(f"\nran on {shown.machine} in its place")
    if shown.clipped:
        text.append(
            f"\n{100 * shown.clipped:.1f} % of the images' values are outside of what the network's input can hold, "
            "and were clipped: are they scaled as for its training?",
            style="yellow",
        )
    text.append(f"\n\ndevice accuracy  {_share(shown.device_correct, shown.images)}\n")
    text.append(f"host accuracy    {_share(shown.host_correct, shown.images)}\n")
    if shown.equal:
        text.append(f"device and host computed the same bytes for all {shown.images} images\n", style="green")
    else:
        text.append(f"{len(shown.different)} of {shown.images} images differ between device and host:\n", style="red")
        for image in shown.different[:_MOST_IMAGES]:
            text.append(
                f"  image {image.index} (label {image.label}): class {image.device_class} on the device, "
                f"{image.host_class} on the host, {image.elements_different} output elements differ\n"
            )
        if len(shown.different) > _MOST_IMAGES:
            text.append(f"  and {len(shown.different) - _MOST_IMAGES} more: --json has them all\n")
    text.append(
        f"instructions per inference: {shown.instructions_min:,} at least, {shown.instructions_median:,.0f} in the "
        f"median, {shown.instructions_max:,} at most\n"
    )
    text.append(f"{shown.images_per_second:.1f} images a second through the emulator, by this machine's clock")
    return text


def _share(correct: int, images: int) -> str:
    return f"{100 * correct / images:.2f} % ({correct} of {images})"
