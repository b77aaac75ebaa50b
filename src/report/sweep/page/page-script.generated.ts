// Made from page-script.ts by `npm run build`; not to be edited.

/** The script of a report page. */
export const pageScript =
  "(function(){let e=[[/[\\p{M}\\p{Cf}]/u,0],[/[\\p{Extended_Pictographic}\\p{Regional_Indicator}" +
  "]/u,1.4],[/[\\u1100-\\u115f\\u2e80-\\ua4cf\\uac00-\\ud7a3\\uf900-\\ufaff\\ufe30-\\ufe6f\\uff00-\\uff60" +
  "]/u,1.05],[/[\\u{1f000}-\\u{3ffff}]/u,1.4],[/[ijlI.,:;!|'` ·]/,.4],[/[ftr()[\\]{}/\\\\\"-]/,.47]" +
  ",[/[mwMWOQ@%…—]/,1],[/[A-Z+=<>±×−→~#]/,.84],[/[a-z0-9]/,.64]];function t(e,t){let r=0;for(" +
  "let t of e)r+=n(t);return r*t}function n(t){return e.find(([e])=>e.test(t))?.[1]??.8}funct" +
  "ion r(e){let t=[];for(let r of e){let e=t.at(-1);e!==void 0&&(n(r)===0||e.endsWith(`‍`))?t" +
  "[t.length-1]=e+r:t.push(r)}return t}function i(e,n,i){if(t(e,i)<=n)return e;let a=r(e);for" +
  "(let e=a.length-1;e>0;e--){let r=e>>1,o=a.slice(a.length-(e-r)),s=`${a.slice(0,r).join(``)" +
  "}…${o.join(``)}`;if(t(s,i)<=n)return s}return`…`}function a(e,t,n,r){let a=o(e,t,n);if(a.l" +
  "ength<=r)return a;for(let a=r;a>0;a-=.1){let s=o(i(e,a*t,n),t,n);if(s.length<=r)return s}r" +
  "eturn a.slice(0,r)}function o(e,n,i){let a=[],o=``;for(let s of r(e)){if(o!==``&&t(o+s,i)>" +
  "n){let e=Math.max(o.lastIndexOf(` `),o.lastIndexOf(`-`),o.lastIndexOf(`/`))+1,t=2*e>o.leng" +
  "th?e:o.length;a.push(o.slice(0,t).trim()),o=o.slice(t).trimStart()}o+=s}return o.trim()===" +
  "``?a:[...a,o.trim()]}function s(e){return Math.ceil(1.25*e)+3}function c(e,{width:n,fontSi" +
  "ze:r,indent:i}){let o=s(r),c=[],[l,u,d]=[0,0,0];for(let s of e){let e=a(s,n-i,r,3),f=i+Mat" +
  "h.max(0,...e.map(e=>t(e,r)));l>0&&l+f>n&&(l=0,u+=d,d=0),c.push({x:l+i,y:u+o-4,lines:e}),d=" +
  "Math.max(d,o*e.length),l+=f+14}return{placed:c,height:u+d}}function l(e){return e.replaceA" +
  "ll(`&`,`&amp;`).replaceAll(`<`,`&lt;`).replaceAll(`>`,`&gt;`).replaceAll(`\"`,`&quot;`)}fun" +
  "ction u(e,t,n=[]){return`<${e}${Object.entries(t).filter(([,e])=>e!==void 0).map(([e,t])=>" +
  "` ${e}=\"${d(t)}\"`).join(``)}>${n.join(``)}</${e}>`}function d(e){return typeof e==`number`" +
  "?String(Math.round(e*100)/100):l(e)}function f({y:e},{width:n,top:r,plotHeight:i,fontSize:" +
  "a}){let o=Math.max(0,...e.ticks.map(({label:e})=>t(e,a))),c=r+g(e,n,a).length*s(a)+a/2;ret" +
  "urn{left:Math.min(Math.max(40,Math.ceil(o)+12),n/3),right:n-14,top:c,bottom:c+i}}function " +
  "p({x:e,y:t},{width:n,top:r,fontSize:i},a){let o=s(i),c=a.bottom+i+8,d=[...m(e,a,c,i),...h(" +
  "t,a,i)];for(let[e,a]of g(t,n,i).entries()){let t={class:`title`,x:2,y:r+i+e*o};d.push(u(`t" +
  "ext`,t,[l(a)]))}let f=g(e,n-14,i);for(let[e,t]of f.entries()){let n={class:`title`,x:a.rig" +
  "ht,y:c+2+(e+1)*o};d.push(u(`text`,{...n,\"text-anchor\":`end`},[l(t)]))}return{content:d.joi" +
  "n(``),bottom:c+2+f.length*o+i/2}}function m({ticks:e},{left:n,right:r,top:i,bottom:a},o,s)" +
  "{let c=[],d=0;for(let{at:f,label:p}of e){let e=n+f*(r-n),m=t(p,s)/2;if(c.push(u(`line`,{cl" +
  "ass:`grid`,x1:e,x2:e,y1:i,y2:a})),e-m<d||e+m>r+14)continue;let h={class:`tick`,x:e,y:o,\"te" +
  "xt-anchor\":`middle`};c.push(u(`text`,h,[l(p)])),d=e+m+8}return c}function h({ticks:e},{lef" +
  "t:t,right:n,top:r,bottom:i},a){let o=[],s=NaN;for(let{at:c,label:d}of e){let e=i+c*(r-i);i" +
  "f(o.push(u(`line`,{class:`grid`,x1:t,x2:n,y1:e,y2:e})),Math.abs(e-s)<1.3*a)continue;let f=" +
  "{class:`tick`,x:t-8,y:e+a/3,\"text-anchor\":`end`};o.push(u(`text`,f,[l(d)])),s=e}return o}f" +
  "unction g({title:e,note:n},r,i){let o=r-4,s=n?`${e} (${n})`:e;return t(s,i)<=o?[s]:a(e,o,i" +
  ",3)}function _(e){let t=[];for(let[n,r]of e.slice(0,-1).entries()){let i=v(r,e[n+1]??r);if" +
  "(!i)continue;let[a,o]=i,s=t.at(-1),c=s?.at(-1);c&&c[0]===a[0]&&c[1]===a[1]?s?.push(o):t.pu" +
  "sh([a,o])}return t}function v(e,t){let[n,r]=[0,1];for(let i of[0,1]){let a=t[i]-e[i];if(a=" +
  "==0&&(e[i]<0||e[i]>1))return null;if(a===0)continue;let o=[-e[i]/a,(1-e[i])/a];n=Math.max(" +
  "n,Math.min(...o)),r=Math.min(r,Math.max(...o))}if(!(n<=r))return null;let i=n=>n===0?e:n==" +
  "=1?t:[e[0]+n*(t[0]-e[0]),e[1]+n*(t[1]-e[1])];return[i(n),i(r)]}function y([e,t]){let n=[Ma" +
  "th.max(0,e),Math.min(1,t)];return n[0]<=n[1]?n:null}function b(e){return Math.min(1,Math.m" +
  "ax(0,e))}function x({left:e,right:t,top:n,bottom:r}){return{x:n=>e+n*(t-e),y:e=>r+e*(n-r)}" +
  "}function S(e,{x:t,y:n}){let[r,i]=C(e);return[t(b(e.x))-15*r,n(b(e.y))+15*i]}function C({x" +
  ":e,y:t}){let n=e=>e<0?-1:+(e>1);return[n(e),n(t)]}function ee(e,t){let[n,r]=S(e,t),[i,a]=C" +
  "(e),o=[u(`title`,{},[l(e.title)])];if(i!==0||a!==0){let e=Math.round(Math.atan2(-i||0,-a)*" +
  "180/Math.PI);o.push(u(`path`,{class:`arrow`,d:`M0 5V13M-3 10L0 13L3 10`,transform:`rotate(" +
  "${e})`}))}else o.push(...w(e,t,n,r));return o.push(u(`path`,{class:`mark`,d:ne(e.shape,5.5" +
  ")})),u(`g`,{class:`point ${e.colour}${e.faded?` faded`:``}${e.near?` near`:``}`,\"data-poin" +
  "t\":e.id,transform:`translate(${n.toFixed(1)} ${r.toFixed(1)})`},o)}function w({whisker:e,a" +
  "cross:t},{x:n,y:r},i,a){let o=e=>u(`path`,{class:`whisker`,d:e}),s=e&&y(e),c=t&&y(t);retur" +
  "n[...e&&s?[o(T(s.map(e=>r(e)-a),e,(e,t)=>`${e} ${t}`))]:[],...t&&c?[o(T(c.map(e=>n(e)-i),t" +
  ",(e,t)=>`${t} ${e}`))]:[]]}function T(e,t,n){let[r=`0`,i=`0`]=e.map(e=>e.toFixed(1)),a=e=>" +
  "`M${n(`-3`,e)}L${n(`3`,e)}`;return(t[0]>=0?a(r):``)+(t[1]<=1?a(i):``)+`M${n(`0`,r)}L${n(`0" +
  "`,i)}`}function te({kind:e,colour:t,faded:n,places:r},{x:i,y:a}){let o=`${e} ${t}${n?` fad" +
  "ed`:``}`.trim(),s=e=>e.map(([e,t])=>`${i(e).toFixed(1)},${a(t).toFixed(1)}`).join(` `);ret" +
  "urn e===`band`?[u(`polygon`,{class:o,points:s(r.map(([e,t])=>[b(e),b(t)]))})]:_(r).map(e=>" +
  "u(`polyline`,{class:o,points:s(e)}))}function ne(e,t){let n=(e,t,n)=>`M${Array.from({lengt" +
  "h:e},(r,i)=>{let a=n+2*Math.PI*i/e;return`${(t*Math.sin(a)).toFixed(2)} ${(-t*Math.cos(a))" +
  ".toFixed(2)}`}).join(`L`)}Z`,r=t,[i,a]=[1.25*r,.42*r];switch(e){case`circle`:return`M${-r}" +
  " 0A${r} ${r} 0 1 1 ${r} 0A${r} ${r} 0 1 1 ${-r} 0Z`;case`square`:return n(4,1.27*r,Math.PI" +
  "/4);case`triangle`:return n(3,1.45*r,0);case`diamond`:return n(4,1.35*r,0);case`down`:retu" +
  "rn n(3,1.45*r,Math.PI);case`pentagon`:return n(5,1.2*r,0);case`plus`:return`M${-a} ${-i}H$" +
  "{a}V${-a}H${i}V${a}H${a}V${i}H${-a}V${a}H${-i}V${-a}H${-a}Z`;case`star`:return`M${Array.fr" +
  "om({length:10},(e,t)=>{let n=(t%2==0?1.5:.75)*r,i=Math.PI*t/5;return`${(n*Math.sin(i)).toF" +
  "ixed(2)} ${(-n*Math.cos(i)).toFixed(2)}`}).join(`L`)}Z`}}function E(e,n,r,i){let a={marks:" +
  "e.map(({x:e,y:t})=>A(e,t,6)),inked:n.flatMap(j).map(([e,t])=>A(e,t,2.5)),frame:r},o=e.filt" +
  "er(({label:e})=>e!==null).length,s=D(e,a,i),c=2*s.size<o?/* @__PURE__ */ new Map:s,l=e.map" +
  "((e,t)=>({...e,index:t})).filter(({label:e,index:t})=>e!==null&&!c.has(t)).sort((e,t)=>e.x" +
  "-t.x),u=e=>t(e,i.fontSize),d=[...c].map(([t,n])=>N(n,u(e[t]?.label??``),i.fontSize)),f=/* " +
  "@__PURE__ */ new Map;for(let[e,{x:t,y:n,index:o}]of l.entries()){let s=String(e+1),c=O({x:" +
  "t,y:n,index:o},u(s),ie(t,n,i,r),{...a,boxes:d,fontSize:i.fontSize});c&&(d.push(N(c,u(s),i." +
  "fontSize)),f.set(o,{text:s,place:c,numbered:!0}))}return e.map(({label:e},t)=>{let n=c.get" +
  "(t);return n&&e!==null?{text:e,place:n,numbered:!1}:f.get(t)??null})}function D(e,n,r){let" +
  "{fontSize:i}=r,a=.55*(n.frame.right-n.frame.left),o=e.map(({label:e})=>e===null?1/0:t(e,i)" +
  "),s=[...e.keys()].filter(e=>(o[e]??1/0)<=a),c=/* @__PURE__ */ new Map;for(let t=0;t<4;t++)" +
  "{let a=/* @__PURE__ */ new Map,l=[];for(let t of s){let[s,c]=[e[t],o[t]];if(!s||c===void 0" +
  ")continue;let{x:u,y:d}=s,f=re(u,d,r),p=O({x:u,y:d,index:t},c,f,{...n,boxes:l,fontSize:i});" +
  "p&&(l.push(N(p,c,i)),a.set(t,p))}(t===0||a.size>c.size)&&(c=a);let u=s.filter(e=>!a.has(e)" +
  ");if(u.length===0)break;s=[...u,...s.filter(e=>a.has(e))]}return c}function O({x:e,y:t,ind" +
  "ex:n},r,i,a){let{marks:o,inked:s,frame:c,boxes:l,fontSize:u}=a,d=o.filter((r,i)=>i!==n&&(r" +
  ".left!==e-6||r.top!==t-6)),f=null;for(let{place:n,cost:a}of i){if(f&&a>=f.cost)continue;le" +
  "t i=N(n,r,u);if(M({...i,left:i.left-8,right:i.right+8},l)>0||P(i,c)<P(i,i)-1)continue;let " +
  "o=M(i,d);if(o>72)continue;let p=k(e,t,n,u).reduce((e,[t,n])=>e+Math.min(1,M(A(t,n,.5),[..." +
  "l,...d])),0),m=a+o+2*M(i,s)+12*p;(!f||m<f.cost)&&(f={place:n,cost:m})}return f?.place??nul" +
  "l}function k(e,t,n,r){let i=n.y-r/3;return Math.hypot(n.x-e,i-t)<18?[]:j([[e,t],[n.x,i]])}" +
  "function re(e,t,{fontSize:n,side:r,reach:i}){let a=t+n/3,o=[];for(let t=-i;t<=i;t+=4){let " +
  "n=t>0?30:0,i=1.2*Math.abs(t);for(let s of[`start`,`end`,`middle`]){if(s===`middle`&&Math.a" +
  "bs(t)<16)continue;let c=s===(r===`left`?`end`:`start`)?0:s===`middle`?12:40,l=s===`start`?" +
  "9:s===`end`?-9:0,u=i+c+n;o.push({place:{x:e+l,y:a+t,anchor:s},cost:u})}}return o}function " +
  "ie(e,t,{fontSize:n},{left:r,right:i,top:a,bottom:o}){let s=[],c=Math.hypot(i-r,o-a);for(le" +
  "t r=13;r<c;r+=r<24?4:10){let i=Math.ceil(8+r/8);for(let a=0;a<i;a++){let o=2*Math.PI*a/i,c" +
  "={x:e+r*Math.sin(o),y:t-r*Math.cos(o)+n/3,anchor:`middle`};s.push({place:c,cost:3*r+10*(1-" +
  "Math.cos(o))})}}return s}function A(e,t,n){return{left:e-n,right:e+n,top:t-n,bottom:t+n}}f" +
  "unction j(e){return e.flatMap(([t,n],r)=>{let[i,a]=e[r+1]??[t,n],o=Math.max(1,Math.ceil(Ma" +
  "th.hypot(i-t,a-n)/5));return Array.from({length:o},(e,r)=>[t+(i-t)*r/o,n+(a-n)*r/o])})}fun" +
  "ction M(e,t){let n=0;for(let r of t)n+=P(e,r);return n}function N({x:e,y:t,anchor:n},r,i){" +
  "let a=n===`start`?e:n===`end`?e-r:e-r/2;return{left:a,right:a+r,top:t-i,bottom:t+.32*i}}fu" +
  "nction P(e,t){return e.left>=t.right||t.left>=e.right||e.top>=t.bottom||t.top>=e.bottom?0:" +
  "(Math.min(e.right,t.right)-Math.max(e.left,t.left))*(Math.min(e.bottom,t.bottom)-Math.max(" +
  "e.top,t.top))}function F({points:e,lines:t,side:n},{width:r,fontSize:i,labelReach:a},o,s){" +
  "let c=x(o),d=[...e].sort((e,t)=>Number(e.faded)-Number(t.faded)),f=d.map(e=>{let[t,n]=S(e," +
  "c);return{x:t,y:n,label:e.label}}),p=t.filter(({kind:e})=>e!==`band`).flatMap(e=>_(e.place" +
  "s)),m=d.flatMap(({x:e,whisker:t})=>t?_(t.map(t=>[e,t])):[]),h=E(f,[...p,...m].map(e=>e.map" +
  "(([e,t])=>[c.x(e),c.y(t)])),o,{fontSize:i,side:n,reach:a}),[g,v]=[[],[]],y=[],b=0;for(let[" +
  "e,t]of d.entries()){let n=h[e],r=f[e];if(t.label===null||!r)continue;if(!n){b++;continue}l" +
  "et{place:a,text:o,numbered:s}=n;s&&y.push({number:o,point:t});let c=a.y-i/3,d={class:`lead" +
  "er`,x1:r.x,y1:r.y,x2:a.x,y2:c};Math.hypot(a.x-r.x,c-r.y)>=18&&g.push(u(`line`,d));let p={c" +
  "lass:I(t),x:a.x,y:a.y};v.push(u(`text`,{...p,\"text-anchor\":a.anchor,\"data-point\":t.id},[l(" +
  "o)]))}y.sort((e,t)=>Number(e.number)-Number(t.number));let C=L(y,b,{below:s,width:r,fontSi" +
  "ze:i});return{content:[...g,...v,C.content].join(``),bottom:C.bottom}}function I({faded:e}" +
  "){return e?`label off`:`label`}function L(e,n,{below:r,width:i,fontSize:a}){if(e.length+n=" +
  "==0)return{content:``,bottom:r};let o=n>0?[`and ${n} more`]:[],d=Math.max(0,...e.map(({num" +
  "ber:e})=>t(e,a))),{placed:f,height:p}=c([...e.map(({point:e})=>e.label??``),...o],{width:i" +
  "-4,fontSize:a,indent:d+6});return{content:f.flatMap(({x:t,y:n,lines:i},o)=>{let{number:c,p" +
  "oint:d}=e[o]??{},f=d===void 0?{}:{\"data-point\":d.id},p=(e,t,i,o)=>u(`text`,{class:`listed`" +
  ",x:2+t,y:r+n+i*s(a),\"text-anchor\":o,...f},[l(e)]);return[...c===void 0?[]:[p(c,t-6,0,`end`" +
  ")],...i.map((e,n)=>p(e,t,n))]}).join(``),bottom:r+p+4}}function R(e,t){let n=f(e,t),r=x(n)" +
  ",i=[...e.points].sort((e,t)=>Number(t.faded)-Number(e.faded)),a=p(e,t,n),o=F({...e,points:" +
  "i},t,n,a.bottom);return{content:[a.content,...e.lines.flatMap(e=>te(e,r)),...i.map(e=>ee(e" +
  ",r)),o.content].join(``),height:Math.ceil(o.bottom)}}function z(e){let t=[],n=1/0;for(let " +
  "r of[...e].sort((e,t)=>e.value-t.value||e.cost-t.cost))!t.some(e=>B(e,r))&&r.high>=n||(t.p" +
  "ush(r),n=Math.min(n,r.low));return e.filter(e=>t.includes(e)).sort((e,t)=>e.cost-t.cost||e" +
  ".value-t.value)}function B(e,t){return e.value===t.value&&e.cost===t.cost&&e.low===t.low&&" +
  "e.high===t.high}function V(e,t,n){let{low:r,high:i}=t??{low:e,high:e};return n===`lower`?{" +
  "cost:e,low:r,high:i}:{cost:-e,low:-i,high:-r}}function H(e,t,n,r){let i=e.measures.find(({" +
  "id:e})=>e===t),a=e.measures.find(({id:e})=>e===n);if(!i||!a)return null;let o=U(e,i,a,r),s" +
  "=[...new Set(o.map(({group:e})=>e))].map(e=>G(o.filter(({group:t})=>t===e),i.growing,a.gro" +
  "wing)),c=new Set(s.flat()),l=e.near[`${t} ${n}`]??[],u=o.map(e=>({id:e.row.id,x:e.x,y:e.y," +
  "whisker:e.whisker,across:e.across,colour:e.row.colour,shape:e.row.shape,label:W(e.row.name" +
  ",c.has(e),...e.beyond),faded:!c.has(e),near:!c.has(e)&&l.includes(e.row.id),title:e.row.li" +
  "nes.join(`\n`)}));return{x:i,y:a,lines:s.filter(e=>e.length>1).map(e=>({kind:`front`,colour" +
  ":``,places:e.map(e=>[e.x,e.y])})),points:u,side:i.growing?`right`:`left`}}function U({rows" +
  ":e},t,n,r){return e.flatMap((e,i)=>{let[a,o]=[t.places[i]??null,n.places[i]??null];return " +
  "a===null||o===null||r&&!r.has(e.id)?[]:[{row:e,x:a,y:o,across:t.whiskers[i]??null,whisker:" +
  "n.whiskers[i]??null,beyond:[t.beyond[i]??null,n.beyond[i]??null],group:[t,n].map(({compara" +
  "ble:e})=>e[i]??``).join(` `)}]})}function W(e,t,n,r){let i=[r,n].filter(e=>e!==null).join(" +
  "`, `);return i===``?t?e:null:`${e}: ${i}`}function G(e,t,n){let r=t?`higher`:`lower`;retur" +
  "n z(e.map(e=>{let t=e.across&&{low:e.across[0],high:e.across[1]};return{...V(e.x,t,r),valu" +
  "e:n?-e.y:e.y,row:e}})).map(({row:e})=>e)}function K(e,t,n=``){let r=document.createElement" +
  "(e);for(let[e,n]of Object.entries(t))r.setAttribute(e,n);return r.textContent=n,r}function" +
  " q(e){return new Set(e.data.view.rows.filter(t=>[...e.filters].every(([e,n])=>n.size===0||" +
  "n.has(t[e]))).map(({id:e})=>e))}function J(e){let t=q(e);for(let[n,{x:r,y:i}]of e.axes){le" +
  "t a=H(e.data.view,r,i,t);for(let t of document.querySelectorAll(`[data-chart=\"${n}\"] svg`)" +
  "){let r=e.data.charts[n]?.layouts[t.getAttribute(`data-size`)??``],i=t.querySelector(`.plo" +
  "t`);if(!a||!r||!i)continue;let{content:o,height:s}=R(a,r);i.innerHTML=o,t.setAttribute(`vi" +
  "ewBox`,`0 0 ${r.width} ${s}`)}}for(let e of document.querySelectorAll(`[data-point]`)){let" +
  " n=!t.has(e.getAttribute(`data-point`)??``);e.classList.toggle(`out`,n)}let n=e.data.view." +
  "rows.flatMap(({id:e,colour:n})=>t.has(e)?[n]:[]);for(let e of document.querySelectorAll(`." +
  "plot .curve, .plot .band`))e.classList.toggle(`out`,!n.some(t=>e.classList.contains(t)));l" +
  "et r=document.getElementById(`chosen`),i=document.getElementById(`shown`);r&&(r.hidden=[.." +
  ".e.filters.values()].every(({size:e})=>e===0)),i&&(i.textContent=`${t.size} of ${e.data.vi" +
  "ew.rows.length} points`),ae()}function ae(){for(let e of document.querySelectorAll(`svg.ch" +
  "art`)){e.setAttribute(`role`,`group`);let t=[...e.querySelectorAll(`g[data-point]:not(.out" +
  ")`)];for(let[e,n]of t.entries()){let r=n.querySelector(`title`);r&&n.setAttribute(`aria-la" +
  "bel`,(r.textContent??``).replaceAll(`\n`,`, `)),r?.remove(),n.setAttribute(`role`,`button`)" +
  ",n.setAttribute(`tabindex`,e===t.length-1?`0`:`-1`)}}}function oe(e){let t=document.getEle" +
  "mentById(`filters`);if(!t)return;for(let n of e.filters.keys()){let r=[...new Set(e.data.v" +
  "iew.rows.map(e=>e[n]))];if(r.length<2)continue;let i=K(`div`,{role:`group`,\"aria-label\":`f" +
  "ilter by ${n}`,class:`chips`});i.append(K(`span`,{class:`chips-name`},n));for(let t of r)i" +
  ".append(se(e,n,t));t.append(i)}let n=K(`button`,{type:`button`,class:`clear`},`show all`);" +
  "n.addEventListener(`click`,()=>{for(let t of e.filters.values())t.clear();for(let e of t.q" +
  "uerySelectorAll(`[aria-pressed]`))e.setAttribute(`aria-pressed`,`false`);J(e)});let r=K(`d" +
  "iv`,{id:`chosen`,class:`chips`,hidden:``});r.append(n,K(`span`,{id:`shown`,role:`status`,c" +
  "lass:`note`})),t.append(r)}function se(e,t,n){let r=K(`button`,{type:`button`,\"aria-presse" +
  "d\":`false`,\"data-filter\":t},n);return r.addEventListener(`click`,()=>{let i=e.filters.get(" +
  "t),a=!i?.delete(n);a&&i?.add(n),r.setAttribute(`aria-pressed`,String(a)),J(e)}),r}function" +
  " ce(e){let t=document.getElementById(`axes`),[n]=e.axes;if(!t||!n)return;let[r,i]=n;for(le" +
  "t n of[`y`,`x`]){let a=K(`select`,{id:`axis-${n}`});for(let t of e.data.view.measures){if(" +
  "n===`y`&&t.role!==`quality`)continue;let e=K(`option`,{value:t.id},t.name);e.selected=t.id" +
  "===i[n],a.append(e)}a.addEventListener(`change`,()=>{e.axes.set(r,{...e.axes.get(r)??i,[n]" +
  ":a.value}),J(e)});let o=K(`label`,{},n===`y`?`up`:`across`);o.append(a),t.append(o)}}funct" +
  "ion le(e){let t=K(`div`,{id:`record`,role:`tooltip`,hidden:``});document.body.append(t,K(`" +
  "div`,{id:`note`,role:`status`,hidden:``}));let n=null,r=n=>{let r=Y(n),i=e.rows.get(r?.get" +
  "Attribute(`data-point`)??``);ue(i?.id??null),t.hidden=!0,r&&i&&r.closest(`svg`)&&de(t,r,i)" +
  "};document.addEventListener(`pointermove`,e=>{e.pointerType!==`touch`&&r(e)}),document.add" +
  "EventListener(`focusin`,r),document.addEventListener(`click`,t=>{let i=Y(t),a=i?.closest(`" +
  "svg`)?i:null,o=e.rows.get(a?.getAttribute(`data-point`)??``),s=t.pointerType===`touch`&&n!" +
  "==a;n=a,s||!o?r(t):X(o)})}function Y(e){if(!(e.target instanceof Element))return null;let " +
  "t=e.target.closest(`svg.chart`);if(!t||!(e instanceof MouseEvent))return e.target.closest(" +
  "`[data-point]`);let n=null,r=18;for(let i of t.querySelectorAll(`g[data-point]:not(.out)`)" +
  "){let t=(i.querySelector(`.mark`)??i).getBoundingClientRect(),[a,o]=[(t.left+t.right)/2,(t" +
  ".top+t.bottom)/2],s=Math.hypot(e.clientX-a,e.clientY-o);s>=r||(r=s,n=i)}return n}function " +
  "ue(e){for(let t of document.querySelectorAll(`.lit`))t.getAttribute(`data-point`)!==e&&t.c" +
  "lassList.remove(`lit`);if(e!==null)for(let t of document.querySelectorAll(`[data-point=\"${" +
  "e}\"]`))t.classList.add(`lit`)}function de(e,t,n){let[r=``,...i]=n.lines,a=n.command===null" +
  "?[]:[`click to copy its command`];e.replaceChildren(K(`b`,{},r),...i.map(e=>K(`div`,{},e))" +
  ",...a.map(e=>K(`div`,{class:`action`},e))),e.hidden=!1;let o=(t.querySelector(`.mark`)??t)" +
  ".getBoundingClientRect(),s=document.documentElement.clientWidth,c=o.right+12+e.offsetWidth" +
  ">s?o.left-12-e.offsetWidth:o.right+12,l=Math.min(o.top-8,window.innerHeight-e.offsetHeight" +
  "-8);e.style.left=`${Math.max(8,Math.min(c,s-e.offsetWidth-8))}px`,e.style.top=`${Math.max(" +
  "8,l)}px`}function X(e){if(e.command===null){Z(`This is the original: there is nothing to r" +
  "un.`,``);return}let{command:t}=e,n=()=>Z(`Copied:`,t),r=()=>Z(fe(t)?`Copied:`:`Copy this:`" +
  ",t);navigator.clipboard?navigator.clipboard.writeText(t).then(n,r):r()}function fe(e){let " +
  "t=K(`textarea`,{class:`offscreen`});t.value=e;let n=document.activeElement;document.body.a" +
  "ppend(t),t.select();let r=document.execCommand(`copy`);return t.remove(),(n instanceof HTM" +
  "LElement||n instanceof SVGElement)&&n.focus(),r}function Z(e,t){let n=document.getElementB" +
  "yId(`note`);if(!n)return;let r=String(Number(n.dataset.number??0)+1);n.dataset.number=r,n." +
  "replaceChildren(e,` `,K(`code`,{},t)),n.hidden=!1,setTimeout(()=>{n.dataset.number===r&&(n" +
  ".hidden=!0)},5e3)}function pe(e){document.addEventListener(`keydown`,t=>{let n=document.ge" +
  "tElementById(`record`);t.key===`Escape`&&n&&(n.hidden=!0);let r=document.activeElement?.cl" +
  "osest(`svg [data-point]`),i=e.rows.get(r?.getAttribute(`data-point`)??``);if(!r||!i)return" +
  ";(t.key===`Enter`||t.key===` `)&&X(i);let a={ArrowRight:1,ArrowDown:1,ArrowLeft:-1,ArrowUp" +
  ":-1}[t.key];if((t.key===`Enter`||t.key===` `||a!==void 0)&&t.preventDefault(),a===void 0)r" +
  "eturn;let o=e=>e.getBoundingClientRect().left,s=[...r.closest(`svg`)?.querySelectorAll(`g[" +
  "data-point]:not(.out)`)??[]].sort((e,t)=>o(e)-o(t)),c=s[s.indexOf(r)+a];c&&(r.setAttribute" +
  "(`tabindex`,`-1`),c.setAttribute(`tabindex`,`0`),c.focus())})}function me(){let e=document" +
  ".querySelector(`#figures table`),t=e?.querySelector(`tbody`);if(!e||!t)return;let n=[...t." +
  "rows],r=[...e.querySelectorAll(`thead th`)];for(let[e,i]of r.entries()){let a=K(`button`,{" +
  "type:`button`},i.textContent??``);i.replaceChildren(a),a.addEventListener(`click`,()=>{let" +
  " a=Q(i.getAttribute(`aria-sort`));for(let e of r)e.removeAttribute(`aria-sort`);a!==null&&" +
  "i.setAttribute(`aria-sort`,a),t.classList.toggle(`sorted`,a!==null),t.append(...a===null?n" +
  ":he(n,e,a))})}}function Q(e){return e===null?`descending`:e===`descending`?`ascending`:nul" +
  "l}function he(e,t,n){let r=n===`ascending`?1:-1,i=e=>e.cells[t]?.textContent??``,a=e=>Numb" +
  "er.parseFloat(e.cells[t]?.dataset.value??``);return[...e].sort((e,n)=>{let[o,s]=[a(e),a(n)" +
  "];return t===0?r*i(e).localeCompare(i(n),`en`,{numeric:!0}):Number.isNaN(o)||Number.isNaN(" +
  "s)?Number(Number.isNaN(o))-Number(Number.isNaN(s)):r*(o-s)})}function ge(e){let t=document" +
  ".querySelector(`#figures table`);t?.querySelector(`thead tr`)?.append(K(`td`,{}));for(let " +
  "n of t?.querySelectorAll(`tbody tr`)??[]){let t=K(`td`,{});n.append(t);let r=e.rows.get(n." +
  "dataset.point??``);if(!r||r.command===null)continue;let i=K(`button`,{type:`button`,class:" +
  "`copy`,\"aria-label\":`copy command of ${r.name}`},`copy`);i.addEventListener(`click`,()=>X(" +
  "r)),t.append(i)}}let _e=[`model`,`method`,`bits`];function ve(e){let t={data:e,rows:new Ma" +
  "p(e.view.rows.map(e=>[e.id,e])),filters:new Map(_e.map(e=>[e,/* @__PURE__ */ new Set])),ax" +
  "es:new Map(Object.entries(e.charts).map(([e,{x:t,y:n}])=>[e,{x:t,y:n}]))};oe(t),ce(t),me()" +
  ",ge(t),le(t),pe(t),J(t)}let $=document.getElementById(`data`)?.textContent;$&&ve(JSON.pars" +
  "e($))})();";
