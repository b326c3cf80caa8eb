// A table: Grafana's own, with units, colours and links in its cells, and sorting.
import { type DataFrame, getFrameDisplayName } from '@grafana/data';
import type { TableCellHeight } from '@grafana/schema';
import { Select } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { useState } from 'react';
import { configOf } from '../fields';
import type { Drawing } from './drawing';

const CHOICE = 40;

export default function TablePanel({ panel, frames, structure, range, width, height }: Drawing) {
  const options = panel.options ?? {};
  const [chosen, choose] = useState<number>(options.frameIndex ?? 0);
  const index = Math.min(chosen, frames.length - 1);
  const frame = frames[index] as DataFrame;
  const several = frames.length > 1;
  return (
    <div style={{ height, overflow: 'hidden' }}>
      <TableNG
        data={frame}
        width={width}
        height={several ? height - CHOICE : height}
        noHeader={options.showHeader === false}
        showTypeIcons={options.showTypeIcons ?? false}
        resizable
        // Equal ones would push the last column of a narrow table out of sight.
        contentAwareWidthsEnabled
        sortBy={options.sortBy ?? []}
        cellHeight={(options.cellHeight ?? 'sm') as TableCellHeight}
        enablePagination={options.enablePagination ?? false}
        frozenColumns={options.frozenColumns?.left ?? 0}
        structureRev={structure}
        fieldConfig={configOf(panel)}
        timeRange={range}
        transparent={panel.transparent ?? false}
        ariaLabel={panel.title ?? ''}
      />
      {several && (
        <Select
          aria-label="Which table"
          value={index}
          options={frames.map((each, at) => ({ value: at, label: getFrameDisplayName(each, at) }))}
          onChange={({ value }) => choose(value ?? 0)}
        />
      )}
    </div>
  );
}
