// Signs in, calls an API, follows the session over reloads and tabs, signs out. No build, no framework.
import { createClient } from "./proofkey-spa/index.js"; // a copy of the package's dist/, worker.js beside it

const API = "http://127.0.0.1:8402/notes";
const client = createClient({
  issuer: "http://localhost:8400/demo/main",
  clientId: "example",
  redirectUri: location.origin + "/callback",
  postLogoutRedirectUri: location.origin + "/",
  scope: "openid profile notes:read",
  apis: [API],
});
const by = (id) => document.getElementById(id);

function render(user) {
  by("who").textContent = user ? `Hello ${user.name ?? user.sub}` : "Nobody is signed in.";
  by("sign-in").hidden = Boolean(user);
  by("call").hidden = by("sign-out").hidden = !user;
}

client.on("signedin", render);
client.on("signedout", () => render(null));
by("sign-in").onclick = () => client.login({ target: location.pathname });
by("sign-out").onclick = () => client.logout();
by("call").onclick = async () => {
  const response = await client.fetch(API);
  by("answer").textContent = JSON.stringify(await response.json());
};

try {
  const back = await client.handleCallback();
  if (back) history.replaceState(null, "", back.target ?? "/");
} catch (refused) {
  by("answer").textContent = `Not signed in: ${refused.code}`;
}
render(await client.user());
