export { GCPCloudMonitoringMetrics } from './gcp-monitoring.js';
export type { GCPCloudMonitoringMetricsOptions, GCPMonitoringClient } from './gcp-monitoring.js';
export type { MonitoredResource } from './gcp-series.js';
export { OpenTelemetryMetrics } from './opentelemetry.js';
export type { OpenTelemetryMeter, OpenTelemetryMetricsOptions, OpenTelemetrySpan, OpenTelemetryTracer } from './opentelemetry.js';
export { PrometheusMetrics } from './prometheus.js';
export type { PrometheusMetricsOptions, PrometheusRegistry } from './prometheus.js';
