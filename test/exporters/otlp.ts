import protobuf from 'protobufjs';

/** As much of opentelemetry/proto/collector/metrics/v1/metrics_service.proto (and what it imports) as the tests look at. */
const PROTO = `
syntax = "proto3";
message Request { repeated ResourceMetrics resource_metrics = 1; }
message ResourceMetrics { repeated ScopeMetrics scope_metrics = 2; }
message ScopeMetrics { Scope scope = 1; repeated Metric metrics = 2; }
message Scope { string name = 1; }
message Metric { string name = 1; string description = 2; string unit = 3; Gauge gauge = 5; Sum sum = 7; Histogram histogram = 9; }
message Gauge { repeated Point data_points = 1; }
message Sum { repeated Point data_points = 1; int32 aggregation_temporality = 2; bool is_monotonic = 3; }
message Histogram { repeated HistogramPoint data_points = 1; int32 aggregation_temporality = 2; }
message Point { repeated KeyValue attributes = 7; double as_double = 4; sfixed64 as_int = 6; }
message HistogramPoint { repeated KeyValue attributes = 9; fixed64 count = 4; double sum = 5; repeated fixed64 bucket_counts = 6; repeated double explicit_bounds = 7; }
message KeyValue { string key = 1; Value value = 2; }
message Value { string string_value = 1; }
`;

interface KeyValue {
  readonly key: string;
  readonly value: { readonly stringValue: string };
}

export interface Metric {
  readonly name: string;
  readonly unit: string;
  readonly gauge?: {
    readonly dataPoints: readonly { readonly attributes: KeyValue[]; readonly asDouble: number; readonly asInt: number }[];
  };
  readonly sum?: {
    readonly isMonotonic: boolean;
    readonly dataPoints: readonly { readonly attributes: KeyValue[]; readonly asDouble: number; readonly asInt: number }[];
  };
  readonly histogram?: {
    readonly dataPoints: readonly {
      readonly attributes: KeyValue[];
      readonly count: number;
      readonly sum: number;
      readonly explicitBounds: number[];
    }[];
  };
}

export interface MetricsRequest {
  readonly resourceMetrics: readonly {
    readonly scopeMetrics: readonly { readonly scope: { readonly name: string }; readonly metrics: readonly Metric[] }[];
  }[];
}

const Request = protobuf.parse(PROTO).root.lookupType('Request');

export function decodeMetrics(body: Uint8Array): MetricsRequest {
  return Request.toObject(Request.decode(body), { longs: Number }) as MetricsRequest;
}

/** `name{attributes}` and the value, or the count of a histogram. */
export function pointsOf(metrics: readonly Metric[]): Record<string, number> {
  const label = (attributes: readonly KeyValue[]): string => attributes.map(({ key, value }) => `${key}=${value.stringValue}`).join(',');
  return Object.fromEntries(
    metrics.flatMap(({ name, gauge, sum, histogram }) => [
      ...[...(gauge?.dataPoints ?? []), ...(sum?.dataPoints ?? [])].map((point): [string, number] => [
        `${name}{${label(point.attributes)}}`,
        point.asDouble ?? point.asInt ?? 0,
      ]),
      ...(histogram?.dataPoints ?? []).map((point): [string, number] => [`${name}{${label(point.attributes)}}`, point.count]),
    ]),
  );
}
