// Gives react-custom-scrollbars-2 the default export that @grafana/ui expects.
export {
  Scrollbars as default,
  Scrollbars,
} from '../../node_modules/@grafana/ui/node_modules/react-custom-scrollbars-2/lib/index.js';
