// The panels of a dashboard in their places, or one of them alone; and the rows, which open and close.
import { css } from '@emotion/css';
import type { GrafanaTheme2 } from '@grafana/data';
import { Button, Icon, useStyles2 } from '@grafana/ui';
import { useEffect, useMemo, useState } from 'react';
import { useWidth } from '../width';
import { useShown } from './context';
import { asText, firstOf, interpolate } from './interpolation';
import { boxesOf, isFirst, place, type Placed } from './layout';
import type { Listed } from './model';
import { PanelView } from './panel';
import { Message } from './panels/message';

export function Grid({ boards, only }: { boards: Listed[]; only: string | undefined }) {
  const { dashboard, variables, view } = useShown();
  const [toggled, setToggled] = useState<ReadonlySet<string>>(new Set());
  const [frame, width] = useWidth();
  const placed = useMemo(() => place(dashboard.panels ?? [], variables, toggled), [dashboard, variables, toggled]);
  const alone = only ? placed.find(({ key }) => key === only || key === `panel-${only}`) : undefined;
  const toggle = (key: string) =>
    setToggled((before) => new Set(before.has(key) ? [...before].filter((each) => each !== key) : [...before, key]));

  useEffect(() => {
    if (!alone) return;
    const leave = (event: KeyboardEvent) => event.key === 'Escape' && !event.defaultPrevented && view(undefined);
    document.addEventListener('keydown', leave);
    return () => document.removeEventListener('keydown', leave);
  }, [alone, view]);

  if (dashboard.rows?.length && !dashboard.panels?.length)
    return (
      <Message>
        This dashboard is of a schema before 2017 (rows in place of panels), which this viewer does not draw.
      </Message>
    );
  const boxes = alone ? [] : boxesOf(placed, width);
  const bottom = Math.max(0, ...boxes.map(({ top, height }) => top + height));
  return (
    <div ref={frame} style={{ position: 'relative', height: alone ? undefined : bottom }}>
      {width > 0 && alone && (
        <>
          <Button
            variant="secondary"
            size="sm"
            icon="arrow-left"
            onClick={() => view(undefined)}
            style={{ marginBottom: 8 }}
          >
            All panels
          </Button>
          <PanelView
            placed={alone}
            boards={boards}
            width={width}
            height={Math.max(300, window.innerHeight - 220)}
            first
          />
        </>
      )}
      {width > 0 &&
        boxes.map(({ placed: each, left, top, width: wide, height }) => (
          <div key={each.key} style={{ position: 'absolute', left, top, width: wide, height }}>
            {each.panel.type === 'row' ? (
              <RowTitle placed={each} onToggle={() => toggle(each.key)} />
            ) : (
              <PanelView placed={each} boards={boards} width={wide} height={height} first={isFirst(top)} />
            )}
          </div>
        ))}
    </div>
  );
}

function RowTitle({ placed, onToggle }: { placed: Placed; onToggle: () => void }) {
  const { lookup } = useShown();
  const styles = useStyles2(getStyles);
  const { panel, own, open } = placed;
  return (
    <button type="button" className={styles.row} aria-expanded={open} onClick={onToggle}>
      <Icon name={open ? 'angle-down' : 'angle-right'} />
      {interpolate(panel.title ?? '', firstOf(own, lookup), asText) || 'Row'}
      {!open && <span className={styles.count}>({panel.panels?.length ?? 0} panels)</span>}
    </button>
  );
}

const getStyles = (theme: GrafanaTheme2) => ({
  row: css({
    display: 'flex',
    alignItems: 'center',
    gap: theme.spacing(0.5),
    width: '100%',
    height: '100%',
    padding: 0,
    border: 'none',
    background: 'none',
    color: theme.colors.text.primary,
    fontWeight: theme.typography.fontWeightMedium,
    whiteSpace: 'nowrap',
    overflow: 'hidden',
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}` },
  }),
  count: css({ color: theme.colors.text.secondary, fontWeight: theme.typography.fontWeightRegular }),
});
