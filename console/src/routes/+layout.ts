/** A page of the duty room is drawn in the browser only: nothing on it is true without a live hub. */
export const ssr = false
