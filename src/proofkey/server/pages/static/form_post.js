// Sends the response on. Not after the back button: an authorization code presented twice ends the sign-in it gave.
const [arrival] = performance.getEntriesByType("navigation");
if (arrival?.type !== "back_forward") HTMLFormElement.prototype.submit.call(document.forms[0]);
