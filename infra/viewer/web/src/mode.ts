// Light or dark: what the person chose here, else what the system says.
export type Mode = 'light' | 'dark';

const KEY = 'viewer.mode';
const system = window.matchMedia('(prefers-color-scheme: light)');
const listeners = new Set<(mode: Mode) => void>();

export function chosenMode(): Mode {
  const chosen = localStorage.getItem(KEY);
  if (chosen === 'light' || chosen === 'dark') return chosen;
  return system.matches ? 'light' : 'dark';
}

export function chooseMode(mode: Mode): void {
  localStorage.setItem(KEY, mode);
  tell();
}

/** Calls back at each change. Returns what ends that. */
export function onModeChange(listener: (mode: Mode) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function tell(): void {
  for (const listener of listeners) listener(chosenMode());
}

system.addEventListener('change', tell);
