// Signs in, calls an API, follows the session over reloads and tabs, signs out; StrictMode and all.
import { StrictMode, useState } from "react";
import { createRoot } from "react-dom/client";
import { createClient } from "@proofkey/spa";
import { ProofkeyProvider, useProofkey } from "@proofkey/spa/react";

const API = "http://127.0.0.1:8402/notes";
const client = createClient({
  issuer: "http://localhost:8400/demo/main",
  clientId: "example",
  redirectUri: location.origin + "/callback",
  postLogoutRedirectUri: location.origin + "/",
  scope: "openid profile notes:read",
  apis: [API],
});

function App() {
  const { status, user, error, client } = useProofkey();
  const [answer, setAnswer] = useState("");
  const call = async () => setAnswer(JSON.stringify(await (await client.fetch(API)).json()));
  if (status === "loading") return <p role="status">…</p>;
  if (status === "signedOut") {
    return (
      <>
        <p role="status">{error ? `Not signed in: ${error.code}` : "Nobody is signed in."}</p>
        <button onClick={() => client.login({ target: location.pathname })}>Sign in</button>
      </>
    );
  }
  return (
    <>
      <p role="status">Hello {user.name ?? user.sub}</p>
      <button onClick={call}>Call the API</button>
      <button onClick={() => client.logout()}>Sign out</button>
      <pre>{answer}</pre>
    </>
  );
}

createRoot(document.getElementById("root")).render(
  <StrictMode>
    <ProofkeyProvider client={client} onSignedIn={({ target }) => history.replaceState(null, "", target ?? "/")}>
      <App />
    </ProofkeyProvider>
  </StrictMode>,
);
