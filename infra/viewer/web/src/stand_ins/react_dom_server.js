// Stands in for React's server, which a component asks for the text of a title that is cut: it has none then.
export const renderToStaticMarkup = () => '';
export default { renderToStaticMarkup };
