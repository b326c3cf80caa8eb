// Chooses what of the rules is shown.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { FilterInput, FilterPill, useStyles2 } from '@grafana/ui';
import { toggled } from './filter';
import { countBy, type Filter, type Row, severitiesOf, STATES } from './rules';
import { STATE_TEXTS } from './state_badge';

interface Props {
  rows: Row[];
  filter: Filter;
  onChange: (filter: Filter) => void;
}

export function FilterBar({ rows, filter, onChange }: Props) {
  const styles = useStyles2(getStyles);
  const byState = countBy(rows, (row) => row.state);
  const bySeverity = countBy(rows, (row) => row.severity);
  const states = STATES.filter(
    (state) => byState.has(state) || filter.states.includes(state) || state === 'firing' || state === 'pending',
  );
  const severities = [...new Set([...severitiesOf(rows), ...filter.severities])];
  return (
    <div className={styles.bar} role="search">
      <div className={styles.text}>
        <FilterInput
          aria-label="Filter rules by text"
          placeholder="Filter by name, text, label"
          value={filter.text}
          onChange={(text) => onChange({ ...filter, text })}
        />
      </div>
      <div className={styles.pills} role="group" aria-label="States">
        {states.map((state) => (
          <FilterPill
            key={state}
            label={`${STATE_TEXTS[state]} ${byState.get(state) ?? 0}`}
            selected={filter.states.includes(state)}
            onClick={() => onChange({ ...filter, states: toggled(filter.states, state) })}
          />
        ))}
      </div>
      <div className={styles.pills} role="group" aria-label="Severities">
        {severities.map((severity) => (
          <FilterPill
            key={severity}
            label={`${severity} ${bySeverity.get(severity) ?? 0}`}
            selected={filter.severities.includes(severity)}
            onClick={() => onChange({ ...filter, severities: toggled(filter.severities, severity) })}
          />
        ))}
      </div>
    </div>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  bar: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(1, 2), alignItems: 'center' }),
  text: css({ flex: '1 1 240px' }),
  pills: css({ display: 'flex', flexWrap: 'wrap', gap: theme.spacing(0.5) }),
});
