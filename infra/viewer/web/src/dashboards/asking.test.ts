import { expect, test } from 'vitest';
import { Asking, type Outcome } from './asking';

/** A question that is answered when the test says so. */
class Question {
  asked = 0;
  signal: AbortSignal | undefined;
  answer!: (value: string) => void;
  fail!: (error: Error) => void;

  ask = (signal: AbortSignal) => {
    this.asked += 1;
    this.signal = signal;
    return new Promise<string>((resolve, reject) => {
      this.answer = resolve;
      this.fail = reject;
    });
  };
}

const later = () => new Promise((resolve) => setTimeout(resolve));

test('what is not answered yet is not asked twice', async () => {
  const [asking, question, outcomes] = [new Asking(), new Question(), [] as Outcome<string>[]];
  const settled = (outcome: Outcome<string>) => void outcomes.push(outcome);

  expect(asking.start('a', question.ask, settled)).toBe(true);
  expect(asking.start('a', question.ask, settled)).toBe(false);
  question.answer('1');
  await later();
  expect(asking.start('a', question.ask, settled)).toBe(true);
  question.fail(new Error('no'));
  await later();

  expect(question.asked).toBe(2);
  expect(outcomes).toEqual([{ value: '1' }, { error: new Error('no') }]);
});

test('another question gives up the old one, whose answer is not heard', async () => {
  const [asking, old, next, outcomes] = [new Asking(), new Question(), new Question(), [] as Outcome<string>[]];
  const settled = (outcome: Outcome<string>) => void outcomes.push(outcome);

  asking.start('a', old.ask, settled);
  asking.start('b', next.ask, settled);
  next.answer('new');
  old.answer('old');
  await later();

  expect(old.signal?.aborted).toBe(true);
  expect(outcomes).toEqual([{ value: 'new' }]);
});

test('nothing is heard after the end', async () => {
  const [asking, question, outcomes] = [new Asking(), new Question(), [] as Outcome<string>[]];
  asking.start('a', question.ask, (outcome) => void outcomes.push(outcome));
  asking.stop();
  question.answer('1');
  await later();
  expect([question.signal?.aborted, outcomes]).toEqual([true, []]);
});
