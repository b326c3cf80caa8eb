// A panel: its frame, its menu and links, and in it what is drawn, or in words why nothing is.
import { css } from '@emotion/css';
import { type DataFrame, getFieldDisplayName, type GrafanaTheme2, LoadingState, renderMarkdown } from '@grafana/data';
import {
  Dropdown,
  ErrorBoundaryAlert,
  Icon,
  measureText,
  Menu,
  PanelChrome,
  PanelContextProvider,
  RenderUserContentAsHTML,
  SeriesVisibilityChangeMode,
  Tooltip,
  useStyles2,
  useTheme2,
} from '@grafana/ui';
import { DashboardCursorSync } from '@grafana/schema';
import { Suspense, useEffect, useMemo, useRef, useState } from 'react';
import { useAnswer } from './answer';
import { chosenSeries } from './choices';
import { useShown } from './context';
import { DRAWS_NOTHING, drawerOf } from './draw';
import { configured } from './fields';
import { asText, firstOf, interpolate } from './interpolation';
import type { Placed } from './layout';
import { exploreLink } from '../links';
import { destinations, type Destination } from './links';
import type { Listed } from './model';
import { Message } from './panels/message';
import { TextPanel } from './panels/text';
import { asked, prepared, rangeFor } from './queries';
import { leftOut, missing } from './support';

interface Props {
  placed: Placed;
  boards: Listed[];
  width: number;
  height: number;
  /** How far it is scrolled is not asked: a panel on its own is always in view. */
  alone: boolean;
}

export function PanelView({ placed, boards, width, height, alone }: Props) {
  const { panel, own } = placed;
  const shown = useShown();
  const frame = useRef<HTMLDivElement>(null);
  const inView = useInView(frame) || alone;
  const lookup = useMemo(() => firstOf(own, shown.lookup), [own, shown.lookup]);
  const { targets, unknownSources } = useMemo(
    () => asked(panel, shown.dashboard, lookup),
    [panel, shown.dashboard, lookup],
  );
  const lacking = missing(panel, unknownSources, targets.length > 0);
  const text = (written: string | undefined) => (written ? interpolate(written, lookup, asText) : '');
  const links = destinations(panel.links, boards, shown.span, shown.variables, lookup);
  const props = { placed, lookup, lacking, without: leftOut(panel, unknownSources), inView };
  const ownTime = panel.timeFrom && !panel.hideTimeOverride ? `Last ${panel.timeFrom}` : undefined;
  return (
    <div ref={frame} style={{ width, height }}>
      {panel.type === 'text' ? (
        <Chrome {...props} width={width} height={height} title={text(panel.title)} links={links}>
          {() => <TextPanel panel={panel} lookup={lookup} />}
        </Chrome>
      ) : (
        <Queried
          {...props}
          width={width}
          height={height}
          title={text(panel.title)}
          description={renderMarkdown(text(panel.description))}
          note={ownTime}
          links={links}
        />
      )}
    </div>
  );
}

interface Inside {
  placed: Placed;
  lookup: ReturnType<typeof firstOf>;
  lacking: string[];
  without: string[];
  inView: boolean;
  width: number;
  height: number;
  title: string;
  description?: string;
  note?: string | undefined;
  links: Destination[];
}

function Queried(props: Inside) {
  const { placed, lookup, lacking, without, inView, width } = props;
  const { panel } = placed;
  const { timeZone, range: wanted, bus, dashboard } = useShown();
  const theme = useTheme2();
  const nothingToAsk = lacking.length > 0;
  const answer = useAnswer(panel, lookup, placed.key, inView && !nothingToAsk, width);
  const [isolated, setIsolated] = useState<string[]>();
  const frames = useMemo(
    () => answer.frames && hidden(configured(answer.frames, panel, lookup, theme, timeZone), isolated),
    [answer.frames, panel, lookup, theme, timeZone, isolated],
  );
  const structure = useStructure(frames, theme);
  const names = useRef<string[]>([]);
  names.current = frames ? namesOf(frames) : [];
  const context = useMemo(
    () => ({
      eventsScope: 'global',
      eventBus: bus,
      sync: () => dashboard.graphTooltip ?? DashboardCursorSync.Off,
      onToggleSeriesVisibility: (label: string | string[] | null, mode: SeriesVisibilityChangeMode) =>
        setIsolated((before) =>
          chosenSeries(before, label, mode !== SeriesVisibilityChangeMode.AppendToSelection, names.current),
        ),
    }),
    [bus, dashboard],
  );
  const Drawer = drawerOf(panel.type);
  const range = answer.range ?? rangeFor(panel, wanted);
  const empty = frames && !frames.some(hasValues) && !DRAWS_NOTHING.has(panel.type);
  const problems = [...without, ...answer.errors];
  const body = (innerWidth: number, innerHeight: number) => {
    if (lacking.length > 0) return <Message>{sentences(lacking)}</Message>;
    if (!inView) return null;
    if (answer.errors.length > 0 && !frames?.length) return <Message bad>{sentences(answer.errors)}</Message>;
    if (!frames) return answer.stale ? <Message>Prometheus does not answer.</Message> : null;
    if (empty || !Drawer) return <Message>{panel.fieldConfig?.defaults?.noValue ?? 'No data'}</Message>;
    return (
      <ErrorBoundaryAlert title="This panel could not be drawn." key={structure}>
        <Suspense fallback={null}>
          <Drawer
            panel={panel}
            frames={frames}
            structure={structure}
            range={range}
            timeZone={timeZone}
            lookup={lookup}
            width={innerWidth}
            height={innerHeight}
          />
        </Suspense>
      </ErrorBoundaryAlert>
    );
  };
  return (
    <PanelContextProvider value={context}>
      <Chrome
        {...props}
        loading={answer.loading}
        status={problems.length > 0 && frames?.length ? problems.join(' ') : undefined}
      >
        {body}
      </Chrome>
    </PanelContextProvider>
  );
}

/** Whether there is anything to draw: a quantile of no observations is no number. */
const hasValues = ({ fields, length }: DataFrame) =>
  length > 0 &&
  fields.some(
    ({ type, values }) =>
      type !== 'time' &&
      (type !== 'number' || values.some((value) => Number(value) === Number(value) && value !== null)),
  );

const sentences = (texts: string[]) => texts.map((text) => <p key={text}>{text}</p>);

/** A number that grows whenever names, order, units or colours of the frames change. */
function useStructure(frames: DataFrame[] | undefined, theme: GrafanaTheme2): number {
  const last = useRef({ text: '', theme, count: 1 });
  const text = useMemo(
    () =>
      JSON.stringify(
        frames?.map(({ fields, name }) => [
          name,
          fields.map((field) => [field.name, field.type, field.labels, field.config]),
        ]),
      ),
    [frames],
  );
  if (last.current.text !== text || last.current.theme !== theme)
    last.current = { text, theme, count: last.current.count + 1 };
  return last.current.count;
}

function namesOf(frames: DataFrame[]): string[] {
  return frames.flatMap((frame) =>
    frame.fields.filter(({ type }) => type !== 'time').map((field) => getFieldDisplayName(field, frame, frames)),
  );
}

function hidden(frames: DataFrame[], isolated: string[] | undefined): DataFrame[] {
  if (!isolated) return frames;
  for (const frame of frames)
    for (const field of frame.fields) {
      if (field.type === 'time' || isolated.includes(getFieldDisplayName(field, frame, frames))) continue;
      field.config.custom = {
        ...field.config.custom,
        hideFrom: { ...field.config.custom?.hideFrom, viz: true, tooltip: true },
      };
    }
  return frames;
}

interface ChromeProps extends Inside {
  loading?: boolean;
  status?: string | undefined;
  children: (width: number, height: number) => React.ReactNode;
}

// Below that, in pixels, a panel has no room for a margin.
const LOW = 80;
// What of a header is not its title, and each thing beside it, in pixels.
const [FRAME, ICON, TITLE_SIZE] = [64, 26, 14];
// Letters of a title stand further apart than those that are measured.
const SPACED = 1.08;

function Chrome({
  placed,
  lookup,
  width,
  height,
  title,
  description,
  note,
  links,
  loading,
  status,
  children,
}: ChromeProps) {
  const shown = useShown();
  const { panel, key } = placed;
  const styles = useStyles2(getStyles);
  // A bar that comes and goes at each refresh would not say anything.
  const slow = useLasting(Boolean(loading), 1500);
  const expressions = () => {
    const { targets } = asked(panel, shown.dashboard, lookup);
    const range = rangeFor(panel, shown.range);
    return targets.map((target) => prepared(panel, target, range, width, lookup).expr);
  };
  const menu = () => (
    <Menu>
      <Menu.Item label="View" icon="eye" onClick={() => shown.view(key)} />
      {panel.targets?.some(({ expr }) => expr) && (
        <Menu.Item
          label="Explore this query"
          icon="compass"
          onClick={() => shown.goTo(exploreLink(expressions(), shown.span.from, shown.span.to))}
        />
      )}
      {links.map((link) => (
        <LinkItem key={link.title + link.href} link={link} />
      ))}
    </Menu>
  );
  const room = width - FRAME - (title ? measureText(title, TITLE_SIZE, 500).width * SPACED : 0);
  // The words of a title are worth more than what stands beside them.
  const shownLinks = links.length > 0 && room >= ICON;
  const shownText = Boolean(description) && room >= (shownLinks ? 2 * ICON : ICON);
  const items = [
    ...(note
      ? [
          <span key="note" className={styles.note}>
            {note}
          </span>,
        ]
      : []),
    ...(shownLinks ? [<PanelLinks key="links" links={links} />] : []),
  ];
  return (
    <PanelChrome
      width={width}
      height={height}
      padding={height < LOW ? 'none' : 'md'}
      title={
        title && description && !shownText ? (
          <Tooltip
            content={
              <div className="panel-info-content markdown-html">
                <RenderUserContentAsHTML content={description} />
              </div>
            }
          >
            <span>{title}</span>
          </Tooltip>
        ) : (
          title
        )
      }
      hoverHeader={!title}
      description={shownText && description ? description : ''}
      displayMode={panel.transparent ? 'transparent' : 'default'}
      titleItems={items.length > 0 ? <>{items}</> : undefined}
      menu={menu}
      {...(slow && { loadingState: LoadingState.Loading })}
      {...(status && { statusMessage: status })}
    >
      {children}
    </PanelChrome>
  );
}

function PanelLinks({ links }: { links: Destination[] }) {
  const { goTo } = useShown();
  const styles = useStyles2(getStyles);
  const [first] = links;
  if (links.length === 1 && first)
    return (
      <Tooltip content={first.tooltip ?? first.title}>
        <a
          className={styles.link}
          href={first.href}
          aria-label={first.title}
          {...(first.newTab && { target: '_blank', rel: 'noreferrer' })}
          onClick={(event) => followed(event, first, goTo)}
        >
          <Icon name="external-link-alt" />
        </a>
      </Tooltip>
    );
  const menu = (
    <Menu>
      {links.map((link) => (
        <LinkItem key={link.title + link.href} link={link} />
      ))}
    </Menu>
  );
  return (
    <Dropdown overlay={menu} placement="bottom-start">
      <button type="button" className={styles.link} aria-label={`${links.length} links`}>
        <Icon name="link" />
      </button>
    </Dropdown>
  );
}

function LinkItem({ link }: { link: Destination }) {
  const { goTo } = useShown();
  return (
    <Menu.Item
      label={link.title}
      icon="link"
      {...(link.internal && !link.newTab
        ? { onClick: () => goTo(link.href) }
        : { url: link.href, target: '_blank' as const })}
    />
  );
}

/** Opens a page of this viewer without a reload, unless a person asks for another tab. */
export function followed(event: React.MouseEvent, link: Destination, goTo: (address: string) => void): void {
  if (!link.internal || link.newTab || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  goTo(link.href);
}

function useLasting(value: boolean, least: number): boolean {
  const [lasting, setLasting] = useState(false);
  useEffect(() => {
    if (!value) {
      setLasting(false);
      return;
    }
    const timer = setTimeout(() => setLasting(true), least);
    return () => clearTimeout(timer);
  }, [value, least]);
  return lasting;
}

/** Whether it is on the screen, or soon will be. */
function useInView(element: React.RefObject<HTMLElement | null>): boolean {
  const [inView, setInView] = useState(false);
  useEffect(() => {
    const observer = new IntersectionObserver(([entry]) => setInView(Boolean(entry?.isIntersecting)), {
      rootMargin: '400px 0px',
    });
    observer.observe(element.current!);
    return () => observer.disconnect();
  }, [element]);
  return inView;
}

const getStyles = (theme: GrafanaTheme2) => ({
  link: css({
    display: 'flex',
    alignItems: 'center',
    padding: theme.spacing(0.5),
    border: 'none',
    background: 'none',
    color: theme.colors.text.secondary,
    borderRadius: theme.shape.radius.default,
    '&:hover': { color: theme.colors.text.primary, background: theme.colors.action.hover },
    '&:focus-visible': { outline: `2px solid ${theme.colors.primary.main}` },
  }),
  note: css({
    color: theme.colors.text.secondary,
    fontSize: theme.typography.bodySmall.fontSize,
    padding: theme.spacing(0, 1),
    whiteSpace: 'nowrap',
  }),
});
