# One image: the four services, the pager and the preparation. docker-compose.yml says which container runs what.
FROM python:3.11-slim AS packages
WORKDIR /build
COPY infra/setup/uv.txt ./
RUN pip install --no-cache-dir --require-hashes -r uv.txt
COPY pyproject.toml requirements.lock ./
# The lock also covers tests and tools. As a constraint it gives versions and hashes only to what is installed here.
# PyYAML is for the preparation, which renders Alertmanager's configuration.
RUN uv venv /venv && \
    uv pip install --python /venv --no-cache --require-hashes --constraints requirements.lock \
        -r pyproject.toml --all-extras --group platform $(grep -o '^pyyaml==[^ ]*' requirements.lock)

FROM python:3.11-slim
ENV PATH=/venv/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
# A new volume takes the owner of the folder on which the first container mounts it. 10001 is the user of the collector's
# image: that image has no shell that could change the owner of its queue.
RUN groupadd --gid 10001 trading && \
    useradd --uid 10001 --gid 10001 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin trading && \
    install -d -o trading -g trading -m 0755 /configuration /var/lib/pager /var/lib/otelcol && \
    install -d -o trading -g trading -m 0700 /run/database
COPY --from=packages /venv /venv
WORKDIR /srv
COPY telemetry telemetry
COPY apps apps
COPY infra infra
COPY docs/RUNBOOKS docs/RUNBOOKS
USER 10001:10001
