/** How clients put it that they may not. */
export const refusal = /unauthorized|denied|authentication required|requested access|authorization failed|\b40[13]\b/i;
