// Writes package-lock.json again without addresses: neither of registries nor of those who ask for funds.
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';

execFileSync('npm', ['install', '--package-lock-only', '--no-audit', '--no-fund'], { stdio: 'inherit' });
const lock = JSON.parse(fs.readFileSync('package-lock.json', 'utf8'));
for (const entry of Object.values(lock.packages)) {
  delete entry.funding;
  delete entry.resolved;
  if (entry.deprecated) entry.deprecated = 'see the package'; // the sentences hold addresses
}
fs.writeFileSync('package-lock.json', `${JSON.stringify(lock, null, 2)}\n`);
