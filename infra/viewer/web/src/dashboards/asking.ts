// One question at a time: what is not answered yet is not asked twice, and an old answer never replaces a newer one.

export type Outcome<T> = { value: T } | { error: unknown };

export class Asking {
  private running: { question: string; abort: AbortController } | undefined;

  /** Asks, and gives up another question. Returns false if this one is being asked already: then nothing happens. */
  start<T>(
    question: string,
    ask: (signal: AbortSignal) => Promise<T>,
    settled: (outcome: Outcome<T>) => void,
  ): boolean {
    if (this.running?.question === question) return false;
    this.stop();
    const mine = { question, abort: new AbortController() };
    this.running = mine;
    const settle = (outcome: Outcome<T>) => {
      if (this.running !== mine) return;
      this.running = undefined;
      settled(outcome);
    };
    ask(mine.abort.signal).then(
      (value) => settle({ value }),
      (error: unknown) => settle({ error }),
    );
    return true;
  }

  /** Gives up what is being asked. */
  stop(): void {
    this.running?.abort.abort();
    this.running = undefined;
  }
}
