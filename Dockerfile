# syntax=docker/dockerfile:1
# Targets: `cpu` (OpenVINO and faiss-cpu, no torch), `gpu` (torch and faiss-gpu, needs the NVIDIA Container Toolkit) and
# `train` (gpu and what the trainer needs besides).
FROM python:3.11-slim-bookworm AS python
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /app

FROM python AS wheel
COPY pyproject.toml README.md ./
COPY emotion emotion
COPY index index
COPY service service
COPY training training
COPY demo demo
RUN pip wheel --no-deps --wheel-dir /wheel .

FROM python AS base
# The root file system may be read-only and the user any: what wants a home gets the one folder that is always writable.
ENV HOME=/tmp \
    FEELALIKE_HOST=0.0.0.0 \
    FEELALIKE_PORT=8000 \
    FEELALIKE_BUNDLE=/app/models/mikels-lite0 \
    FEELALIKE_STORE=/data/store \
    FEELALIKE_GALLERY=/gallery
RUN useradd --no-create-home --home-dir /tmp --uid 1000 feelalike \
    && mkdir /data /gallery /models \
    && chown feelalike:feelalike /data /models
EXPOSE 8000
VOLUME ["/data"]
# The start period leaves time for the first index; nothing answers while it is built.
HEALTHCHECK --interval=30s --timeout=5s --start-period=10m \
    CMD ["python", "-c", "import os, urllib.request as u; u.urlopen(f\"http://127.0.0.1:{os.environ['FEELALIKE_PORT']}/readyz\", timeout=4)"]
ENTRYPOINT ["python", "/app/deploy/start.py"]

FROM base AS cpu
COPY requirements/cpu.txt requirements/cpu.txt
COPY deploy/slim.py deploy/slim.py
RUN pip install --requirement requirements/cpu.txt \
    && python deploy/slim.py
COPY --from=wheel /wheel /wheel
RUN pip install --no-deps /wheel/*.whl
COPY models models
COPY deploy deploy
USER 1000

FROM base AS gpu
ENV FEELALIKE_DEVICE=cuda \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY requirements/gpu.txt requirements/gpu.txt
RUN pip install --requirement requirements/gpu.txt
COPY --from=wheel /wheel /wheel
RUN pip install --no-deps /wheel/*.whl
COPY models models
COPY deploy deploy
USER 1000

FROM gpu AS train
USER 0
COPY requirements/train.txt requirements/train.txt
RUN pip install --requirement requirements/train.txt
HEALTHCHECK NONE
# What Ctrl-C does: the trainer says how to go on.
STOPSIGNAL SIGINT
USER 1000
