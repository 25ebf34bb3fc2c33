# The daemon as an image, run as `docker run --read-only --tmpfs /tmp riskstream`:
#   docker build -t riskstream .                        what the daemon needs on a CPU
#   docker build -t riskstream:cuda --target cuda .     with torch and CUDA: scoring on a GPU, and training
# Both run as a numeric user without a shell login, write nothing but /tmp, and hold no compiler.
# Another base, or this one by its digest: --build-arg PYTHON_IMAGE=python@sha256:…   (docs/supply-chain.md)
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

FROM ${PYTHON_IMAGE} AS uv
# Bytecode is tied to a source by its hash and not its time, so that two builds of the same pins are the same bytes.
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 UV_LINK_MODE=copy PYC_INVALIDATION_MODE=UNCHECKED_HASH
RUN python -m pip install --quiet uv==0.13.9 \
 && python -m venv --without-pip /opt/riskstream
WORKDIR /build

# Dependencies first: these layers change only when the pins do.
FROM uv AS build-cpu
COPY requirements/run.txt requirements/run.txt
RUN uv pip install --python /opt/riskstream/bin/python --compile-bytecode --require-hashes -r requirements/run.txt
COPY pyproject.toml README.md LICENSE ./
COPY riskstream riskstream
RUN uv pip install --python /opt/riskstream/bin/python --compile-bytecode --no-deps .

FROM uv AS build-cuda
COPY requirements/cuda.txt requirements/cuda.txt
RUN uv pip install --python /opt/riskstream/bin/python --compile-bytecode --require-hashes -r requirements/cuda.txt
COPY pyproject.toml README.md LICENSE ./
COPY riskstream riskstream
RUN uv pip install --python /opt/riskstream/bin/python --compile-bytecode --no-deps .

FROM ${PYTHON_IMAGE} AS runtime
LABEL org.opencontainers.image.title="riskstream" \
      org.opencontainers.image.description="Scores news and social feeds from Kafka for risk, per watched entity, and publishes alerts" \
      org.opencontainers.image.licenses="Apache-2.0"
WORKDIR /srv/riskstream
COPY config config
COPY models/finrisk models/finrisk
ENV PATH=/opt/riskstream/bin:$PATH \
    PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp HF_HUB_OFFLINE=1 \
    RISKSTREAM_HTTP__HOST=0.0.0.0
USER 10001:10001
EXPOSE 8321
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ.get('RISKSTREAM_HTTP__PORT', '8321') + '/livez', timeout=4)"]
ENTRYPOINT ["riskstream"]
CMD ["run"]

FROM runtime AS cuda
# What the NVIDIA runtime mounts; CUDA itself comes with torch.
ENV NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build-cuda /opt/riskstream /opt/riskstream

FROM runtime AS cpu
COPY --from=build-cpu /opt/riskstream /opt/riskstream
