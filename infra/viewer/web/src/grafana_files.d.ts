// The types of the files of @grafana/data that datetime.ts takes.
declare module '*/datetime/datemath.mjs' {
  import { dateMath } from '@grafana/data';
  export const toDateTime: typeof dateMath.toDateTime;
}
declare module '*/datetime/rangeutil.mjs' {
  import { rangeUtil } from '@grafana/data';
  export const calculateInterval: typeof rangeUtil.calculateInterval;
  export const intervalToMs: typeof rangeUtil.intervalToMs;
}
declare module '*/datetime/formatter.mjs' {
  export { dateTimeFormat } from '@grafana/data';
}
declare module '*/datetime/moment_wrapper.mjs' {
  export { dateTime } from '@grafana/data';
}
declare module '*/text/string.mjs' {
  export { stringToJsRegex } from '@grafana/data';
}
