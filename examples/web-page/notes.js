// The page's whole program. It never holds a token: its own server adds one to what goes to /api.
const $ = (selector) => document.querySelector(selector);
const session = await (await fetch('/auth/session')).json();

async function call(method, body) {
  const headers = { 'content-type': 'application/json', 'x-csrf-token': session.csrf };
  const answer = await fetch('/api/notes', { method, headers, body: body && JSON.stringify(body) });
  const told = await answer.json();
  if (answer.status === 401 && told.login) {
    // The session is over, or the API asks for a stronger sign-in (then `login` says which).
    const login = new URL(told.login, location.origin);
    login.searchParams.set('return_to', location.pathname);
    location.assign(login);
  }
  if (!answer.ok) throw new Error(told.error_description);
  return told;
}

function show({ notes }) {
  $('#notes').replaceChildren(...notes.map((text) => Object.assign(document.createElement('li'), { textContent: text })));
}

if (session.signed_in) {
  $('#who').textContent = `Signed in as ${session.claims.name}`;
  $('#signed-in').hidden = false;
  $('#sign-out').elements.csrf.value = session.csrf;
  $('#add').addEventListener('submit', async (event) => {
    event.preventDefault();
    const form = event.target;
    show(await call('POST', { text: form.elements.text.value }));
    form.reset();
  });
  show(await call('GET'));
} else {
  $('#who').textContent = 'Nobody is signed in.';
  $('#signed-out').hidden = false;
}
