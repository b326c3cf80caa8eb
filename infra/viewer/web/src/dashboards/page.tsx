// The page of the dashboards: the one that the address names, or the first one.
import { LoadingPlaceholder } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { useParams } from 'wouter';
import { load, type Loaded } from './load';
import { Message } from './panels/message';
import { DashboardView } from './view';

export default function Dashboards() {
  const { uid = '' } = useParams<{ uid?: string }>();
  const [loaded, setLoaded] = useState<Loaded>();
  useEffect(() => {
    let current = true;
    void load(uid).then((found) => current && setLoaded(found));
    return () => {
      current = false;
    };
  }, [uid]);
  if (!loaded) return <LoadingPlaceholder text="Loading" />;
  if (!loaded.dashboard) return <Message bad>{loaded.problem}</Message>;
  return <DashboardView key={loaded.dashboard.uid} dashboard={loaded.dashboard} boards={loaded.boards} />;
}
