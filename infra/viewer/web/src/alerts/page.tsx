// The page alerts.
export default function Alerts() {
  return <h1>Alerts</h1>;
}
