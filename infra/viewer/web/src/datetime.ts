// What @grafana/data knows of times, out of its own files: to run all of it takes longer than Prometheus takes to answer.
import * as dateMath from '../node_modules/@grafana/data/dist/esm/datetime/datemath.mjs';
import * as rangeUtil from '../node_modules/@grafana/data/dist/esm/datetime/rangeutil.mjs';

export { dateTimeFormat } from '../node_modules/@grafana/data/dist/esm/datetime/formatter.mjs';
export { dateTime } from '../node_modules/@grafana/data/dist/esm/datetime/moment_wrapper.mjs';
export { stringToJsRegex } from '../node_modules/@grafana/data/dist/esm/text/string.mjs';
export { dateMath, rangeUtil };
