# For systems without apt-get: a Debian with what README asks of a machine, and README's command on it.
#
#   docker build -t tflm-harness .
#   docker run --rm -v "$PWD:/here" tflm-harness harness run kws.tflite --platform stm32l496zg
#
# amd64 everywhere: the Python package tflite-micro, whose kernels are the reference, is built for nothing else.
FROM --platform=linux/amd64 debian:12-slim AS machine
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates git make

FROM machine
WORKDIR /tflm-harness
COPY . .
RUN make demo
ENV PATH=/tflm-harness/.venv/bin:$PATH
# Relative: runs are stored below the folder of the user, not in the container's checkout.
ENV HARNESS_RESULTS=results
WORKDIR /here
CMD ["harness", "doctor"]
