// The frame around every page: theme, navigation, and which page an address shows.
import { injectGlobal } from '@emotion/css';
import { createTheme, type GrafanaTheme2, ThemeContext } from '@grafana/data';
import { GlobalStyles, PortalContainer } from '@grafana/ui';
import { StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { Route, Switch } from 'wouter';
import { loaded } from './loaded';
import { Navigation } from './navigation';
import { chosenMode, onModeChange } from './mode';

const Dashboards = loaded(() => import('./dashboards/page'));
const Alerts = loaded(() => import('./alerts/page'));
const Runbooks = loaded(() => import('./runbooks/page'));
const Explore = loaded(() => import('./explore/page'));

injectGlobal({ body: { margin: 0, overflowX: 'hidden' }, '#root': { minHeight: '100vh' } });

function Page() {
  const [theme, setTheme] = useState<GrafanaTheme2>(() => createTheme({ colors: { mode: chosenMode() } }));
  useEffect(() => onModeChange((mode) => setTheme(createTheme({ colors: { mode } }))), []);
  return (
    <ThemeContext.Provider value={theme}>
      <GlobalStyles />
      {/* Menus, pickers and tooltips are put in here. At the end of the document, to focus one would scroll there. */}
      <PortalContainer />
      <Navigation />
      <main>
        <Switch>
          <Route path="/alerts" component={Alerts} />
          <Route path="/runbooks" component={Runbooks} />
          <Route path="/explore" component={Explore} />
          <Route path="/d/:uid" component={Dashboards} />
          <Route component={Dashboards} />
        </Switch>
      </main>
    </ThemeContext.Provider>
  );
}

/** Loads the dashboards' page, so that it is drawn with the frame and not after it. */
export const loadDashboards = Dashboards.load;

export function draw(element: HTMLElement): void {
  createRoot(element).render(
    <StrictMode>
      <Page />
    </StrictMode>,
  );
}
