// Stands in for the editor monaco, which is large and which nothing here opens.
export const loader = { config() {} };
export const editor = {};
export const languages = {};
export default function NoEditor() {
  return null;
}
