// Stands in for semver, with which names for tests are chosen by versions such as 10.2.0: they are written without exception.
const numbers = (version) => version.split('.').map(Number);
export const valid = (text) => (/^\d+\.\d+\.\d+$/.test(text) ? text : null);
export const compare = (a, b) => {
  const [[a1, a2, a3], [b1, b2, b3]] = [numbers(a), numbers(b)];
  return a1 - b1 || a2 - b2 || a3 - b3;
};
export const gte = (a, b) => compare(a, b) >= 0;
