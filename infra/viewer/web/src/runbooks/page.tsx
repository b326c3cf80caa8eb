// The page runbooks.
export default function Runbooks() {
  return <h1>Runbooks</h1>;
}
