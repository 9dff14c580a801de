"""What the page says besides its numbers. Nothing here depends on the outcome."""

from __future__ import annotations

from harness.reproduce.lines import NOTICEABLE, SEEN, TOLERATED

TITLE = "Measuring what really matters: measured in 2021, emulated here"

INTRODUCTION = """\
Heim, Biri, Qu and Thiele measured on three boards what quantisation, CMSIS-NN, the FPU and the compiler's flags
do to the latency of neural networks ("Measuring what Really Matters: Optimizing Neural Networks for TinyML",
arXiv:2104.10645). This page sets their measurements beside executed instructions of the same networks, counted
on emulated cores of the same kind.

**Instructions are not latency.** The emulator has no pipeline, no flash wait states and no caches. So ratios
are compared: speed-ups, shares, ranks. "Measured" is always of latencies (or energies) of boards, "emulated"
always of counts; the deviation is emulated against measured, of shares in percentage points. Instructions per
microsecond divide one by the other. L4 is NUCLEO-L496ZG (Cortex-M4, 80 MHz), F4 is DISCO-F469NI (Cortex-M4, 180
MHz), F7 is NUCLEO-F767ZI (Cortex-M7, 216 MHz)."""

FULL = (
    "This page was made from all networks: `harness reproduce heim2021`. Every line is also in [lines.csv](lines.csv)."
)

QUICK = """\
**This page was made with --quick**: LeNet on one board; of the layer sweeps every fifth width (dense,
convolution, depthwise), and four widths and three kernels of the stacks of convolutions. Means over few widths
are less steady. Every line is also in [lines.csv](lines.csv)."""

HOLDS = f"""\
An effect is a ratio of two latencies, or of two counts. Where a measured ratio is more than {NOTICEABLE:.0%} from 1, it
is reproduced if the emulated one is on the same side of 1, by more than {SEEN:.0%}; else nothing was measured, and the
emulated ratio may be {TOLERATED:.0%} away. That is the direction; how much of the measured effect is emulated, the
logarithm of one mean by that of the other, is its part: 100 % is all of it, 200 % a ratio that is squared. Means are
geometric; they, ranges and parts are of the lines where an effect was measured."""

RANKS = """\
Spearman's rank correlation of emulated instructions and measured latency, over the layers of the layer sweeps
on L4: over all of them, which range over five orders of magnitude, and within each kind of layer, where it is
harder. {wrapped} rows take no part: dense layers of more than 65,535 inputs, which the board's CMSIS-NN cut
short (`harness/reproduce/heim2021/README.md` says more). Where layers of a kind are all of one size, as SOFTMAX is,
their ranks are those of noise, or there are none ("-"). Instructions per microsecond say how far one number of
them would carry. At 80 MHz, 80 would be an instruction each cycle, and the core cannot do more: where there are
more, the emulated code executes more instructions than the board's did."""

FIGURE_2 = """\
One inference, -Ofast: float32 without the FPU, with it, int8, int8 with CMSIS-NN, each against the first."""

EFFECTS = {
    "CMSIS-NN": """\
Latency with reference kernels by latency with CMSIS-NN. CMSIS-NN has kernels for int8, none for float32.""",
    "FPU": """\
Latency of a soft-float build by latency with the FPU. int8 networks compute with floating point only in
QUANTIZE and DEQUANTIZE at their ends.""",
    "-Ofast over -Os": "Latency with -Os by latency with -Ofast.",
}

SHARES = """\
Each layer's part of the sum of all layers, -Ofast, with the FPU. Indices count operators; int8 networks begin
with QUANTIZE."""

FIGURE_3 = """\
Energy was measured, -Ofast, with the FPU; it is not emulated. On each board, energy against that of the best
choice stands beside instructions against those of the same choice: instructions would have to rank what is on
one board as energy does. Between boards they say nothing, as boards differ in power and clock."""

WIDTHS = """\
Latency of one layer against its width. CMSIS-NN reads weights four at a time, as words of memory, and has loops
of its own for what is left over."""

MODULO = """\
Latency per MAC, and instructions per MAC, of widths that are odd, and of even ones that are no multiple of 4,
against widths that are multiples of 4; means over all layers of Table 4's kinds."""

TABLE_4 = """\
Means over layers. "Even" holds the multiples of 4, as in the paper. The gain is against all widths with
reference kernels, so it does not depend on what counts as a MAC: here multiply-accumulates alone, in the paper
also additions of biases (its nanoseconds are lower: half as much for 1x1 kernels). The paper has no 5x5
kernels."""

EXACT = """\
Each point's output was compared bit for bit with the same application on the host. -Ofast lets the compiler
reorder floating point, so that a float32 network may differ in its last bits from the host, which is built with
-O2; its counts are what they are. Weights are random: instructions of the kernels of convolution, dense layers
and pooling do not depend on them."""

REASONS = """\
- **Other software.** The boards ran TensorFlow Lite Micro of TensorFlow 2.2 and CMSIS-NN of early 2020, built
  with GCC 8 (assumed: the data do not say it). Emulated is TFLM of July 2020 with CMSIS-NN 4.0.0, built with
  the compiler that is named above. GCC 12 makes up to twice the instructions of GCC 8 in the inner loops of the
  reference kernels.
- **Cycles per instruction.** A load from flash, a division and a taken branch cost more than an addition; what
  an optimisation removes need not be of average cost. A Cortex-M7 may start two instructions in a cycle.
- **Memory.** Where the rows of a matrix are no multiples of 4 bytes long, most of its words are not aligned, and
  reading such a word costs the core further accesses; it is still one instruction. Latency depends on where weights
  lie in lines of flash and cache, too. Steps of latency that no count shows are of this kind.
- **Layers without weights** (QUANTIZE, RESHAPE, SOFTMAX) take microseconds, and the boards' time stamps of
  LeNet are coarser than some of them: a few read 0."""

SOURCE = """\
Measurements: public data of Heim et al. 2021, https://github.com/lheim/TFLM-Evaluation, reduced to what is used
here in `harness/reproduce/heim2021/`, which also has the sweep files. Not compared: ResNet-20, and the relation
of energy and latency (figures 6 and 7), which is the boards' own."""
