"""The dashboard service-health: whether the services answer, how fast, and what they have left of what they need."""

from infra.grafana.boards import SERVICE, SERVICES, TALL, board, firing, none
from infra.grafana.panels import (
    BAD,
    BYTES,
    GOOD,
    NONE,
    NUMBER,
    RATIO,
    REQUESTS,
    SECONDS,
    UP,
    Lines,
    Query,
    Stat,
    States,
    Table,
    Timeline,
    counted,
)

WRITABLE: States = {0: ("READ-ONLY", BAD), 1: ("writable", GOOD)}
# /health is asked every few seconds, by programs.
REQUEST = 'job=~"$job", http_route!="/health"'
JOB = 'job=~"$job"'


def rate(metric: str, labels: str = JOB) -> str:
    """The rate of a counter of the services that are selected."""
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def quantile(part: float, histogram: str, by: str, labels: str = JOB) -> str:
    """A quantile of a histogram of the services that are selected."""
    return f"histogram_quantile({part}, sum by (le, {by}) ({rate(f'{histogram}_bucket', labels)}))"


def build() -> str:
    """The text of its file."""
    all_right = [
        Stat(
            "Services",
            NONE,
            [Query(f"max by (job) (up{{{SERVICES}}})", "{{job}}")],
            "Whether the collector's last scrape of each service was answered. A service that pushes has no word here.",
            width=8,
            states=UP,
            alerts=["ServiceUnreachable", "ServiceDown"],
        ),
        Stat(
            "Redis",
            NONE,
            [Query("min(redis_connection_status)")],
            "Up if all services reach it.",
            width=3,
            states=UP,
            alerts=["RedisConnectionLost"],
        ),
        Stat(
            "PostgreSQL",
            NONE,
            [Query("min(database_connection_status)")],
            "Up if all services reach it.",
            width=3,
            states=UP,
            alerts=["DatabaseConnectionLost"],
        ),
        Stat(
            "Writes",
            NONE,
            [Query("min by (dependency) (dependency_writable)", "{{dependency}}")],
            width=4,
            states=WRITABLE,
            alerts=["DependencyNotWritable"],
        ),
        firing("critical", "Critical alerts", width=3),
        firing("warning", "Warnings", width=3),
    ]
    uptime = [
        Stat(
            "Uptime",
            SECONDS,
            [Query('time() - max by (job) (process_start_time_seconds{job=~"$job"})', "{{job}}")],
            "How long ago the process of each service was started; with several workers, the youngest.",
            width=12,
            height=5,
            decimals=0,
            alerts=["ServiceRestarting"],
        ),
        Timeline(
            "Answering",
            NONE,
            [Query(f"max by (job) (up{{{SERVICES}}})", "{{job}}")],
            width=12,
            height=5,
            states=UP,
            alerts=["ServiceDown", "ServiceWorkersMissing"],
        ),
    ]
    http = [
        Lines(
            "Requests",
            REQUESTS,
            [Query(f"sum by (job) ({rate('http_server_request_duration_seconds_count', REQUEST)})", "{{job}}")],
            "Requests a second, without those of /health.",
        ),
        Lines(
            "Errors",
            RATIO,
            [
                Query(
                    "(sum by (job) ("
                    + rate("http_server_request_duration_seconds_count", f'{REQUEST}, http_response_status_code=~"5.."')
                    + f") or 0 * sum by (job) ({rate('http_server_request_duration_seconds_count', REQUEST)}))"
                    + f" / (sum by (job) ({rate('http_server_request_duration_seconds_count', REQUEST)}) > 0)",
                    "{{job}}",
                )
            ],
            "The part of the requests that ended in a 5xx, without those of /health.",
            board="slo",
            alerts=["HttpErrorBudgetBurn"],
        ),
        Lines(
            "Latency by route",
            SECONDS,
            [
                Query(
                    quantile(0.99, "http_server_request_duration_seconds", "job, http_route", REQUEST),
                    "{{job}} {{http_route}}",
                )
            ],
            "99 % of the requests of a route were answered within this time.",
            board="slo",
        ),
    ]
    routes = [
        Table(
            "Routes",
            NONE,
            [
                Query(
                    "sum by (job, http_request_method, http_route, http_response_status_code)"
                    f" ({rate('http_server_request_duration_seconds_count', REQUEST)}) > 0",
                )
            ],
            "Requests a second by route and status, without those of /health.",
            width=12,
            columns={
                "job": "job",
                "http_request_method": "method",
                "http_route": "route",
                "http_response_status_code": "status",
                "Value": "requests/s",
            },
            units={"requests/s": REQUESTS},
        ),
        Lines(
            "Requests in progress",
            NUMBER,
            [Query('sum by (job) (http_server_active_requests{job=~"$job"})', "{{job}}")],
            width=6,
        ),
        Lines(
            "Requests to other services",
            SECONDS,
            [
                Query(
                    quantile(0.99, "http_client_request_duration_seconds", "job, server_port"),
                    "{{job}} to port {{server_port}}",
                )
            ],
            "99 % of the requests that a service made were answered within this time, or failed.",
            width=6,
        ),
    ]
    connections = [
        Timeline(
            "Redis, seen by",
            NONE,
            [Query('min by (job) (redis_connection_status{job=~"$job"})', "{{job}}")],
            states=UP,
            alerts=["RedisConnectionLost"],
        ),
        Timeline(
            "PostgreSQL, seen by",
            NONE,
            [Query('min by (job) (database_connection_status{job=~"$job"})', "{{job}}")],
            states=UP,
            alerts=["DatabaseConnectionLost"],
        ),
        Lines(
            "Probes of Redis and PostgreSQL",
            SECONDS,
            [Query(quantile(0.99, "dependency_ping_duration_seconds", "dependency"), "{{dependency}}")],
            "99 % of the probes took no longer than this, with their connection.",
        ),
    ]
    calls = [
        Lines(
            "Calls of PostgreSQL and Redis",
            SECONDS,
            [
                Query(
                    quantile(0.99, "db_client_operation_duration_seconds", "db_system, db_operation_name"),
                    "{{db_system}} {{db_operation_name}}",
                )
            ],
            "99 % of the calls took no longer than this.",
            height=TALL,
        ),
        Lines(
            "Failed calls of PostgreSQL and Redis",
            counted("failures/s"),
            [
                Query(
                    f"sum by (job, db_system, error_type) ({rate('db_client_errors_total')}) or on() "
                    + none("error_type", "db_client_operation_duration_seconds_count", f"{{{JOB}}}"),
                    "{{job}} {{db_system}} {{error_type}}",
                )
            ],
            "Failures a second, by class of error. None: there are calls, and no failure.",
            height=TALL,
            stacked=True,
        ),
        Lines(
            "Waits for a connection",
            SECONDS,
            [
                Query(
                    quantile(0.99, "db_client_connection_wait_time_seconds", "job, db_client_connection_pool_name"),
                    "{{job}} {{db_client_connection_pool_name}}",
                )
            ],
            "99 % of the callers waited no longer than this.",
            height=TALL,
            alerts=["DatabasePoolExhausted"],
        ),
    ]
    pools = [
        Lines(
            "PostgreSQL connections",
            NUMBER,
            [
                Query(
                    'sum by (job, db_client_connection_state) (db_client_connection_count{job=~"$job",'
                    ' db_client_connection_pool_name="postgresql"})',
                    "{{job}} {{db_client_connection_state}}",
                ),
                Query(
                    'sum by (job) (db_client_connection_max{job=~"$job", db_client_connection_pool_name="postgresql"})',
                    "{{job}} limit",
                ),
            ],
            "What the pools hold, against what they may hold.",
            width=12,
            alerts=["DatabasePoolExhausted"],
        ),
        Lines(
            "Callers that wait for a connection",
            NUMBER,
            [
                Query(
                    'sum by (job, db_client_connection_pool_name) (db_client_connection_pending_requests{job=~"$job"})',
                    "{{job}} {{db_client_connection_pool_name}}",
                )
            ],
            width=12,
            alerts=["DatabasePoolExhausted"],
        ),
    ]
    process = [
        Lines(
            "Event loop lag",
            SECONDS,
            [Query(quantile(0.99, "event_loop_lag_seconds", "job"), "{{job}}")],
            "99 % of the timers were late by no more than this.",
            alerts=["EventLoopBlocked"],
        ),
        Lines(
            "Garbage collection",
            RATIO,
            [Query(f"sum by (job) ({rate('python_gc_pause_seconds_sum')})", "{{job}}")],
            "The part of the time that a service stands still for it.",
        ),
        Lines(
            "Processor",
            RATIO,
            [Query(f"sum by (job) ({rate('process_cpu_seconds_total')})", "{{job}}")],
            "100 % is one processor.",
        ),
    ]
    room = [
        Lines(
            "Memory",
            BYTES,
            [Query('sum by (job) (process_resident_memory_bytes{job=~"$job"})', "{{job}}")],
            alerts=["MemoryHigh"],
        ),
        Lines(
            "Memory of its limit",
            RATIO,
            [
                Query(
                    'max by (job) (process_resident_memory_bytes{job=~"$job"}'
                    ' / process_memory_limit_bytes{job=~"$job"})',
                    "{{job}}",
                )
            ],
            "How much of the memory that it may use a service uses.",
            alerts=["MemoryHigh"],
        ),
        Lines(
            "File descriptors of their limit",
            RATIO,
            [Query('max by (job) (process_open_fds{job=~"$job"} / process_max_fds{job=~"$job"})', "{{job}}")],
            "How many of the file descriptors that it may open a service has open.",
            alerts=["FileDescriptorsHigh"],
        ),
    ]
    versions = [
        Table(
            "Versions",
            NONE,
            [Query('max by (job, version, python, telemetry) (build_info{job=~"$job"})')],
            columns={"job": "job", "version": "version", "python": "Python", "telemetry": "telemetry"},
            height=6,
        )
    ]
    return board(
        "service-health",
        "Whether the services answer, how fast, and what they have left.",
        [all_right, uptime, http, routes, connections, calls, pools, process, room, versions],
        [SERVICE],
        alerts='team="platform"',
    )
