"""The dashboard telemetry-pipeline: whether what the other dashboards and the alerts say can be trusted."""

from infra.grafana.boards import ALERTS, JOB, SERVICES, TALL, board, none
from infra.grafana.panels import (
    BAD,
    BYTES,
    GOOD,
    NONE,
    NUMBER,
    RATIO,
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

BEATS: States = {0: ("SILENT", BAD), 1: ("beats", GOOD)}
WORKS: States = {0: ("work", GOOD), 1: ("FAIL", BAD)}
PIPELINE = 'job=~"otel-collector|prometheus|alertmanager"'
# The name of a group of rules begins with its file.
GROUP = '"group", "$1", "rule_group", ".*;(.*)"'


def rising_groups(counter: str) -> str:
    """How often a second that counter rises, of each group of rules where it does, or else of none."""
    rises = f"sum by (rule_group) (rate({counter}[$__rate_interval])) > 0"
    return f"label_replace({rises}, {GROUP}) or on() {none('group', counter)}"


def failures(counter: str, instead: str) -> str:
    """The rate of a counter that has no series before the first failure: until then 0, if `instead` is there."""
    return f"sum(rate({counter}[$__rate_interval])) or 0 * sum({instead})"


def build() -> str:
    """The text of its file."""
    all_right = [
        Stat(
            "Watchdog",
            NONE,
            [Query('count(ALERTS{alertname="Watchdog", alertstate="firing"}) or vector(0)')],
            "Whether Prometheus sends the beats that the dead man's switch waits for.",
            states=BEATS,
            alerts=["Watchdog"],
        ),
        Stat(
            "Pipeline",
            NONE,
            [Query(f"max by (job) (up{{{PIPELINE}}})", "{{job}}")],
            "Whether the collector, Prometheus and Alertmanager answer.",
            width=8,
            states=UP,
            alerts=["CollectorDown", "AlertmanagerDown"],
        ),
        Stat(
            "Queue in use",
            RATIO,
            [Query("max(otelcol_exporter_queue_size) / max(otelcol_exporter_queue_capacity)")],
            "How full the collector's queue on disk is. A full one loses what comes next.",
            decimals=1,
        ),
        Stat(
            "Rules",
            NONE,
            [Query("sum(increase(prometheus_rule_evaluation_failures_total[5m])) > bool 0")],
            "Whether a rule failed in the last 5 min: its alert cannot fire.",
            states=WORKS,
        ),
        Stat(
            "Notifications",
            NONE,
            [Query("sum(increase(alertmanager_notifications_failed_total[5m])) > bool 0")],
            "Whether Alertmanager could not deliver something in the last 5 min.",
            states=WORKS,
        ),
    ]
    collector = [
        Lines(
            "Collector queue",
            NUMBER,
            [Query("max by (exporter) (otelcol_exporter_queue_size)", "{{exporter}}")],
            alerts=["CollectorQueueFilling"],
        ),
        Lines(
            "Samples sent and failed",
            counted("samples/s"),
            [
                Query("sum(rate(otelcol_exporter_sent_metric_points[$__rate_interval]))", "sent"),
                Query(
                    failures("otelcol_exporter_send_failed_metric_points", "otelcol_exporter_queue_size"), "given up"
                ),
                Query(
                    failures("otelcol_exporter_enqueue_failed_metric_points", "otelcol_exporter_queue_size"),
                    "queue full",
                ),
            ],
            "What became of the samples on their way to Prometheus.",
            alerts=["CollectorExportFailing"],
        ),
        Lines(
            "Samples taken in and refused",
            counted("samples/s"),
            [
                Query(
                    "sum by (receiver) (rate(otelcol_receiver_accepted_metric_points[$__rate_interval]))",
                    "from {{receiver}}",
                ),
                Query(
                    "sum by (receiver) (rate(otelcol_receiver_refused_metric_points[$__rate_interval]))",
                    "refused {{receiver}}",
                ),
            ],
            "What came to the collector. It refuses samples when it has no memory left.",
            alerts=["CollectorRefusing"],
        ),
    ]
    scrapes = [
        Timeline(
            "Scrapes",
            NONE,
            [Query('max by (job) (up{job=~"$job"})', "{{job}}")],
            states=UP,
            alerts=["ServiceUnreachable", "CollectorDown"],
        ),
        Lines(
            "Duration of scrapes",
            SECONDS,
            [Query('max by (job) (scrape_duration_seconds{job=~"$job"})', "{{job}}")],
        ),
        Lines(
            "Samples of a scrape",
            NUMBER,
            [Query('max by (job) (scrape_samples_scraped{job=~"$job"})', "{{job}}")],
        ),
    ]
    clocks = [
        Lines(
            "Age of the newest sample",
            SECONDS,
            [Query(f"time() - max by (job) (timestamp(up{{{SERVICES}}}))", "{{job}}")],
            "How far behind Prometheus is: up to a scrape of 5 s and the way.",
            width=12,
            alerts=["ClockSkew"],
        ),
        Lines(
            "Clocks of the services",
            SECONDS,
            [Query("max by (job) (heartbeat_timestamp_seconds - timestamp(heartbeat_timestamp_seconds))", "{{job}}")],
            "By how much the clock of a service is ahead of the collector's, which gives each sample its time.",
            width=12,
            low=None,
            alerts=["ClockSkew"],
        ),
    ]
    rules = [
        Lines(
            "Rule evaluation",
            RATIO,
            [
                Query(
                    f"label_replace(prometheus_rule_group_last_duration_seconds"
                    f" / prometheus_rule_group_interval_seconds, {GROUP})",
                    "{{group}}",
                )
            ],
            "How much of its interval each group of rules needs. At 100 % evaluations are left out.",
            height=TALL,
        ),
        Lines(
            "Rules that fail",
            counted("failures/s"),
            [
                Query(rising_groups("prometheus_rule_evaluation_failures_total"), "{{group}} failed"),
                Query(rising_groups("prometheus_rule_group_iterations_missed_total"), "{{group}} left out"),
            ],
            "Evaluations a second that failed, and rounds that were left out. None: there are rules, and no failure.",
            height=TALL,
            alerts=["PrometheusRuleFailing", "PrometheusConfigReloadFailed"],
        ),
        Lines(
            "Alerts to Alertmanager",
            counted("alerts/s"),
            [
                Query("sum(rate(prometheus_notifications_sent_total[$__rate_interval]))", "sent"),
                Query("sum(rate(prometheus_notifications_errors_total[$__rate_interval]))", "not taken"),
                Query("sum(rate(prometheus_notifications_dropped_total[$__rate_interval]))", "given up"),
            ],
            "What Prometheus tells Alertmanager. Each alert that fires is sent again and again.",
            height=TALL,
        ),
    ]
    notifications = [
        Lines(
            "Notifications by channel",
            counted("sent/s"),
            [
                Query(
                    "sum by (integration) (rate(alertmanager_notifications_total[$__rate_interval])) > 0",
                    "{{integration}}",
                )
            ],
            "What Alertmanager sends to people, and the beats of the Watchdog (webhook).",
            width=12,
            alerts=["Watchdog"],
        ),
        Lines(
            "Notifications that failed",
            counted("failures/s"),
            [
                Query(
                    "sum by (integration) (rate(alertmanager_notifications_failed_total[$__rate_interval]))",
                    "{{integration}}",
                )
            ],
            "What Alertmanager could not deliver.",
            width=12,
            alerts=["NotificationsFailing"],
        ),
    ]
    series = [
        Lines(
            "Series of the services",
            NUMBER,
            [Query('sum by (job) (telemetry_series{job=~"$job"})', "{{job}}")],
            alerts=["SeriesLimitReached"],
        ),
        Lines(
            "Series in Prometheus",
            NUMBER,
            [Query("max(prometheus_tsdb_head_series)", "series")],
        ),
        Lines(
            "Dropped records",
            counted("records/s"),
            [
                Query(
                    'sum by (job, metric, reason) (rate(telemetry_dropped_total{job=~"$job"}[$__rate_interval])) > 0'
                    " or on() " + none("reason", "telemetry_dropped_total", '{job=~"$job"}'),
                    "{{job}} {{metric}} {{reason}}",
                )
            ],
            "Records a second that a service could not keep. Each is a fault in the program. None: all were kept.",
            stacked=True,
            alerts=["TelemetryDropping"],
        ),
    ]
    costs = [
        Table(
            "Alerts that fire",
            NONE,
            [Query(ALERTS)],
            width=9,
            lists_alerts=True,
            columns={"alertname": "alert", "severity": "severity", "service": "service"},
        ),
        Lines(
            "Memory of the pipeline",
            BYTES,
            [
                Query("max(otelcol_process_memory_rss)", "otel-collector"),
                Query('max by (job) (process_resident_memory_bytes{job=~"prometheus|alertmanager"})', "{{job}}"),
            ],
            "Memory of the collector, Prometheus and Alertmanager.",
            width=5,
        ),
        Lines(
            "Samples stored",
            counted("samples/s"),
            [Query("sum(rate(prometheus_tsdb_head_samples_appended_total[$__rate_interval]))", "stored")],
            "Samples a second.",
            width=5,
        ),
        Lines(
            "Free space of the disk",
            RATIO,
            [
                Query(
                    'max by (device) (system_filesystem_usage_bytes{state="free"})'
                    ' / sum by (device) (max by (device, state) (system_filesystem_usage_bytes{state=~"free|used"}))',
                    "{{device}}",
                )
            ],
            "Of the disk with the data of Prometheus and PostgreSQL, and the collector's queue.",
            width=5,
            alerts=["DiskFilling"],
        ),
    ]
    return board(
        "telemetry-pipeline",
        "Whether what the other dashboards and the alerts say can be trusted.",
        [all_right, collector, scrapes, clocks, rules, notifications, series, costs],
        [JOB],
        alerts='service=~"otel-collector|prometheus|alertmanager"',
    )
