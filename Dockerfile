# One image for every process; which one is the command: `mingjing run wall`, `mingjing run worker`, …
FROM python:3.12-slim-bookworm

# Without bytecode a read-only container starts as fast, and the image is smaller.
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /opt/mingjing
COPY . .
RUN pip install .

# An ordinary user with a fixed number, so that files of secrets on the host can be given to it.
RUN useradd --uid 10001 --create-home mingjing && install -d -o mingjing /data
USER mingjing
ENV MINGJING_DATA=/data
VOLUME /data

ENTRYPOINT ["mingjing"]
CMD ["--help"]
