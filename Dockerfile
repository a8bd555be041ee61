# syntax=docker/dockerfile:1
# Targets: `cpu` (OpenVINO + faiss-cpu, no torch) and `gpu` (torch + faiss-gpu, needs the NVIDIA runtime).
FROM python:3.11-slim-bookworm AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    FEELALIKE_HOST=0.0.0.0 \
    FEELALIKE_PORT=8000 \
    FEELALIKE_BUNDLE=/app/models/mikels-lite0 \
    FEELALIKE_STORE=/data/store \
    FEELALIKE_GALLERY=/gallery
RUN useradd --create-home --uid 1000 feelalike \
    && mkdir -p /data/store /gallery \
    && chown -R feelalike /data
WORKDIR /app
EXPOSE 8000
VOLUME ["/data", "/gallery"]
# The start period leaves time for the first index; liveness alone answers while it is built.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['FEELALIKE_PORT']}/readyz\", timeout=4)"]
ENTRYPOINT ["/app/deploy/start"]

FROM base AS cpu
COPY requirements/cpu.txt requirements/cpu.txt
RUN pip install --requirement requirements/cpu.txt
COPY pyproject.toml README.md ./
COPY emotion emotion
COPY index index
COPY service service
COPY training training
COPY demo demo
RUN pip install --no-deps .
COPY models models
COPY deploy deploy
USER 1000

FROM base AS gpu
ENV FEELALIKE_DEVICE=cuda
COPY requirements/gpu.txt requirements/gpu.txt
RUN pip install --requirement requirements/gpu.txt
COPY pyproject.toml README.md ./
COPY emotion emotion
COPY index index
COPY service service
COPY training training
COPY demo demo
RUN pip install --no-deps .
COPY models models
COPY deploy deploy
USER 1000
