// Signs in, calls an API, follows the session over reloads and tabs, signs out.
import { createApp, ref } from "vue";
import { createClient } from "@proofkey/spa";
import { useSession } from "./session.js";

const API = "http://127.0.0.1:8402/notes";
const client = createClient({
  issuer: "http://localhost:8400/demo/main",
  clientId: "example",
  redirectUri: location.origin + "/callback",
  postLogoutRedirectUri: location.origin + "/",
  scope: "openid profile notes:read",
  apis: [API],
});

createApp({
  setup() {
    const answer = ref("");
    const session = useSession(client, ({ target }) => history.replaceState(null, "", target ?? "/"));
    const call = async () => (answer.value = JSON.stringify(await (await client.fetch(API)).json()));
    const signIn = () => client.login({ target: location.pathname });
    return { ...session, answer, call, signIn, signOut: () => client.logout() };
  },
  template: `
    <p v-if="status === 'loading'" role="status">…</p>
    <template v-else-if="status === 'signedOut'">
      <p role="status">{{ problem ? "Not signed in: " + problem : "Nobody is signed in." }}</p>
      <button @click="signIn">Sign in</button>
    </template>
    <template v-else>
      <p role="status">Hello {{ user.name ?? user.sub }}</p>
      <button @click="call">Call the API</button>
      <button @click="signOut">Sign out</button>
      <pre>{{ answer }}</pre>
    </template>`,
}).mount("#app");
