// The page of the dashboards: the one that the address names, or the first one.
import { LoadingPlaceholder } from '@grafana/ui';
import { useEffect, useState } from 'react';
import { useParams } from 'wouter';
import { load, takePrepared } from './load';
import { Message } from './panels/message';
import { DashboardView } from './view';

export default function Dashboards() {
  const { uid = '' } = useParams<{ uid?: string }>();
  const [loaded, setLoaded] = useState(() => ({ uid, found: takePrepared(uid) }));
  useEffect(() => {
    if (loaded.found && loaded.uid === uid) return;
    let current = true;
    void load(uid).then((found) => current && setLoaded({ uid, found }));
    return () => {
      current = false;
    };
  }, [uid]);
  const { found } = loaded;
  if (!found) return <LoadingPlaceholder text="Loading" />;
  if (!found.dashboard) return <Message bad>{found.problem}</Message>;
  return (
    <DashboardView key={found.dashboard.uid} dashboard={found.dashboard} boards={found.boards} first={found.first} />
  );
}
